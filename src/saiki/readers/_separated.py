"""Tables as text: whether a file is one, what separates its fields, and its lines in search of a fault."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from saiki.readers._text import SAVE, decoded, lines

#: lines that are looked at for what separates their fields
LINES = 50

csv.field_size_limit(2**31 - 1)  # documents are longer than the 128 KiB that it takes for a fault


def separated(path: Path) -> bool:
    """Whether the first line of a file without a suffix is values between tabs or commas."""
    with path.open("rb") as file:
        head = file.readline(1_000_000)
    try:
        line = head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return "\t" in line or line.count(",") > 1


def separator(header: str, below: str = "") -> str:
    """Comma, semicolon, tab or bar: what stands most often between the names of a header, outside quotes; first what stands as
    often in every line `below` it."""
    often = {mark: re.sub(r'"[^"]*"', "", header).count(mark) for mark in ",;\t|"}
    lines = [re.sub(r'"[^"]*"', "", line) for line in below.splitlines()[:-1][:LINES] if line.strip()]
    even = {mark: all(line.count(mark) == count for line in lines) for mark, count in often.items()}
    return max(often, key=lambda mark: (often[mark] > 0 and even[mark], often[mark]))


def rows(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields; DataError at a line whose bytes are not of the encoding."""
    whole = (f"{line}\n" for line in lines(decoded(path, encoding, SAVE)))
    found = csv.reader(whole, delimiter=separator)
    for fields in found:
        yield found.line_num, fields
