"""Plain text (`.txt`, `.text`, also gzipped): whole, line by line, or one document per file of a folder.

Lines that all begin with one of few labels, before a tab, or before a space if they are numbers or `__label__…`, are documents with
their class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers import _text
from saiki.readers._files import check_file
from saiki.record import Record

SUFFIXES = (".txt", ".text", ".txt.gz", ".text.gz")
#: lines that are looked at for labels; a label stands in this many of them on average
LOOKED_AT, EACH = 1000, 4
#: a label and the text behind it
LABELLED = re.compile(r"(?:__label__(\S+)|([+-]?\d+(?:\.\d+)?)|([^\t]{1,60})(?=\t))\s+(\S.*)")


class Reader:
    """Every line that is not blank is a record with the field `text`; in a frame their labels, where they have some, are `y`."""

    suffixes = SUFFIXES

    def frame(self, path: Path, encoding: str | None = None) -> nw.DataFrame:
        """The lines as a column `text`, and `y` where they begin with labels; DataError names the line of a bad byte."""
        import polars as pl

        found = [line for line in lines(path, encoding) if line.strip()]
        parted = labelled(found)
        if parted is None:
            return nw.from_native(pl.DataFrame({"text": found}, schema={"text": pl.String}))
        return nw.from_native(pl.DataFrame({"y": [y for y, _ in parted], "text": [t for _, t in parted]}))

    def read(self, path: Path, encoding: str | None = None) -> Iterator[Record]:
        """The lines as records, lazily."""
        for number, line in enumerate(lines(path, encoding), start=1):
            if line.strip():
                yield Record({"text": line}, f"{path}, line {number}")


def labelled(found: Sequence[str]) -> list[tuple[str, str]] | None:
    """Labels and texts of lines that all begin with one of few labels, else None."""
    parted = [LABELLED.match(line) for line in islice(found, LOOKED_AT)]
    if None in parted:
        return None
    parted = [m for line in found if (m := LABELLED.match(line))]
    few = {m[1] or m[2] or m[3] for m in parted}
    told = len(few) > 1 or not any(
        m[3] for m in parted[:1]
    )  # one label alone, of lines sorted by it, must look like one
    if len(parted) < len(found) or not told or EACH * len(few) > len(found):
        return None
    return [(m[1] or m[2] or m[3], m[4]) for m in parted]


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
