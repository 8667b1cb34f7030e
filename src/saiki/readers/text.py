"""Plain text (`.txt`, `.text`, also gzipped): whole, line by line, or one document per file of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers import _text
from saiki.readers._files import check_file
from saiki.record import Record

SUFFIXES = (".txt", ".text", ".txt.gz", ".text.gz")


class Reader:
    """Every line that is not blank is a record with the field `text`."""

    suffixes = SUFFIXES

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def frame(self, path: Path) -> nw.DataFrame:
        """The lines as a column `text`; DataError names the line of a bad byte."""
        import polars as pl

        return nw.from_native(pl.DataFrame({"text": [r["text"] for r in self.read(path)]}, schema={"text": pl.String}))

    def read(self, path: Path) -> Iterator[Record]:
        """The lines as records, lazily."""
        for number, line in enumerate(lines(path, self.encoding), start=1):
            if line.strip():
                yield Record({"text": line}, f"{path}, line {number}")


def parts(path: str | Path, encoding: str | None = None) -> Iterator[str]:
    """The whole text of a file in parts of about a megabyte, cut behind a line where there are lines.

    Whatever the suffix. Raises DataError for a missing, empty or binary file, and for a bad byte, with its line.
    """
    path = Path(path)
    check_file(path)
    held = ""
    for text in _text.decoded(path, _text.encoding_of(path, encoding)):
        whole = held + text
        cut = whole.rfind("\n") + 1 or len(whole)
        held = whole[cut:]
        yield whole[:cut]
    if held:
        yield held


def lines(path: str | Path, encoding: str | None = None) -> Iterator[str]:
    """The lines of a file, without their ends."""
    yield from _text.lines(parts(path, encoding))


def files(folder: str | Path) -> list[Path]:
    """The text files of a folder and of those in it, by name; DataError if there are none."""
    folder = Path(folder)
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
    if not found:
        raise DataError(f"{folder} holds no text files; expected files that end in {' '.join(SUFFIXES)}")
    return found
