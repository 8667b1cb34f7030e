"""Tables as text: whether a file is one, what separates its fields, and its lines in search of a fault."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from saiki.readers._text import SAVE, decoded, lines

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


def separator(header: str) -> str:
    """What stands most often between the names of a header, outside quotes: comma, semicolon, tab or bar."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def rows(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields; DataError at a line whose bytes are not of the encoding."""
    whole = (f"{line}\n" for line in lines(decoded(path, encoding, SAVE)))
    found = csv.reader(whole, delimiter=separator)
    for fields in found:
        yield found.line_num, fields
