#!/bin/sh
# The kernels under the address and the undefined-behaviour sanitizer, then under the thread sanitizer.
# Usage: native/tests/run.sh [CXX]; needs no Python and no torch. JOBS says how many are built and run at once (default: a core each).
set -e
here=$(cd "$(dirname "$0")" && pwd)
cxx=${1:-${CXX:-g++}}
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c++17 -O1 -g1 -ffp-contract=fast -Wall -Wextra -Wno-psabi -pthread"
address="-fsanitize=address,undefined -fno-sanitize-recover=all"
for driver in "scalar.cc $here/../kernels.cc" "steps.cc $here/../steps.cc"; do
    name=${driver%%.*}
    for bytes in 16 64; do
        echo "$cxx $flags $here/$driver -DSAIKI_VECTOR_BYTES=$bytes $address -o $out/$name$bytes && $out/$name$bytes"
    done
    echo "$cxx $flags $here/$driver -fsanitize=thread -o $out/$name-thread && $out/$name-thread"
done | tr '\n' '\0' | xargs -0 -P "$jobs" -I '{}' sh -c '{}'
