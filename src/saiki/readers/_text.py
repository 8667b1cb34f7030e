"""Text files as they come: zipped or not, with a byte order mark, in UTF-8 or UTF-16; what separates their fields."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from saiki.errors import DataError

#: how files in UTF-16 and UTF-32 begin; the longer first
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GZIP = b"\x1f\x8b"
HEAD = 65_536  # bytes that are looked at to find out how a file is written


def opened(path: Path) -> BinaryIO:
    """The bytes of a file, unzipped where it is zipped, whatever its suffix."""
    file = path.open("rb")
    if file.read(2) == _GZIP:
        file.close()
        return cast(BinaryIO, gzip.open(path, "rb"))
    file.seek(0)
    return file


def source(path: Path) -> Path | io.BytesIO:
    """What polars reads: the file itself, or its text in UTF-8 if it has another mark."""
    mark = _mark(_start(path))
    if mark is None:
        return path
    with opened(path) as file:
        return io.BytesIO(file.read().decode(mark).encode())


def head(path: Path) -> str:
    """The first lines, whole; "" of a broken archive: the reader proper says so."""
    start = _start(path)
    text = start.decode(_mark(start) or "utf-8-sig", errors="replace")
    return text if len(start) < HEAD else text.rpartition("\n")[0]


def separator(header: str) -> str:
    """What stands most often between the names of a header, outside quotes: comma, semicolon, tab or bar."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def rows(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields, for the search after a fault; DataError at a line that is no UTF-8."""
    with opened(path) as file:
        lines = csv.reader(_decoded(path, file), delimiter=separator)
        for fields in lines:
            yield lines.line_num, fields


def not_utf8(path: Path, number: int) -> DataError:
    """The error for a line in another encoding."""
    return DataError(
        f"{path}, line {number}: not UTF-8 text; save the file as UTF-8 "
        "(from latin-1, for example: iconv -f latin1 -t utf-8)"
    )


def _decoded(path: Path, file: BinaryIO) -> Iterator[str]:
    mark = _mark(_start(path))
    if mark is not None:
        yield from io.TextIOWrapper(file, mark, newline="")
        return
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise not_utf8(path, number) from None


def _mark(start: bytes) -> str | None:
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _start(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(HEAD)
    except (OSError, EOFError):
        return b""
