"""Plain text (`.txt`, `.text`, also gzipped): whole, line by line, or one document per file of a folder.

`labelled` tells documents behind their labels, before a tab, or before a space if labels are numbers or `__label__…`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers import _text
from saiki.readers._files import check_file
from saiki.record import Record

SUFFIXES = (".txt", ".text", ".txt.gz", ".text.gz")
#: documents of a label, on average, where labels are not known
EACH = 4
#: share of lines whose labels are known, where they are labelled
FITTING = 0.5
#: share of documents that may be empty
EMPTY = 0.1
#: labels and the text behind them
LABELLED = re.compile(r"((?:__label__\S+\s*)+)(?!\S)(.*)|([+-]?\d+(?:\.\d+)?)(?:\s+(.*))?|([^\t]{1,60})\t\s*(.*)")
#: what the label of a header is called
HEADERS = frozenset({"label", "labels", "class", "category", "target", "sentiment", "topic", "y"})


class Reader:
    """Every line that is not blank is a record with the field `text`."""

    suffixes = SUFFIXES

    def frame(self, path: Path, encoding: str | None = None) -> nw.DataFrame:
        """The lines as a column `text`; DataError names the line of a bad byte."""
        import polars as pl

        found = [str(r["text"]) for r in self.read(path, encoding)]
        return nw.from_native(pl.DataFrame({"text": found}, schema={"text": pl.String}))

    def read(self, path: Path, encoding: str | None = None) -> Iterator[Record]:
        """The lines as records, lazily."""
        for number, line in enumerate(lines(path, encoding), start=1):
            if line.strip():
                yield Record({"text": line}, f"{path}, line {number}")


def labelled(
    found: Sequence[str], known: Collection[str] | None = None, cut: bool = False
) -> list[tuple[str, str]] | None:
    """Labels (several with `;` between them) and texts of lines that all begin with them, else None.

    known  the labels there are; None where they are to be learned: then they are few
    """
    parted = []
    for line in found:
        match = LABELLED.fullmatch(line.strip(" \r\n"))
        if match is None:
            return None
        labels, told, number, text, name, rest = match.groups()
        label = ";".join(part.removeprefix("__label__") for part in labels.split()) if labels else number or name
        parted.append((label.strip(), (told or text or rest or "").strip()))
    if not parted:
        return None
    if parted[0][0].lower() in HEADERS and sum(label == parted[0][0] for label, _ in parted) == 1:
        parted = parted[1:]
    if known is not None:  # one that is new is for the caller to name
        fit = sum(set(label.split(";")) <= set(known) for label, _ in parted)
        return parted if fit > len(parted) * FITTING else None
    texts, few = [text for _, text in parted], {label for label, _ in parted}
    if texts.count("") > EMPTY * len(texts) or all(re.fullmatch(r"[\s\d.,;+-]*", text) for text in texts):
        return None
    marked = found[0].lstrip().startswith("__label__")
    same = len(few) == 1 and "\t" in found[0]
    return parted if marked or not (same or EACH * len(few) > len(parted)) else None


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
    folder, been, found = Path(folder), {os.path.realpath(folder)}, list[Path]()
    for place, inside, names in os.walk(folder, followlinks=True):
        inside[:] = [name for name in inside if _visible(name) and os.path.realpath(Path(place, name)) not in been]
        been.update(os.path.realpath(Path(place, name)) for name in inside)  # links that lead round are followed once
        found += [Path(place, name) for name in names if _visible(name) and name.lower().endswith(SUFFIXES)]
    found = sorted(path for path in found if path.is_file())
    if not found:
        raise DataError(f"{folder} holds no text files; expected files that end in {' '.join(SUFFIXES)}")
    return found


def _visible(name: str) -> bool:
    return not name.startswith((".", "__MACOSX"))
