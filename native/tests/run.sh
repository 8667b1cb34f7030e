#!/bin/sh
# The kernels under the address and the undefined-behaviour sanitizer, then under the thread sanitizer.
# Usage: native/tests/run.sh [CXX]; needs no Python and no torch.
set -e
here=$(cd "$(dirname "$0")" && pwd)
cxx=${1:-${CXX:-g++}}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c++17 -O1 -g -ffp-contract=fast -Wall -Wextra -Wno-psabi -pthread"
for driver in "scalar.cc $here/../kernels.cc" "steps.cc $here/../steps.cc"; do
    for bytes in 16 64; do
        $cxx $flags $here/$driver -DSAIKI_VECTOR_BYTES=$bytes -fsanitize=address,undefined -fno-sanitize-recover=all -o "$out/address$bytes"
        "$out/address$bytes"
    done
    $cxx $flags $here/$driver -fsanitize=thread -o "$out/thread"
    "$out/thread"
done
