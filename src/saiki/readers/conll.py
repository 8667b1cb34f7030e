"""Columns of the CoNLL tasks (`.conll`, `.conllu`, `.iob2`, `.bio`): a word and its labels per line, blank lines between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers._files import check_file
from saiki.readers.text import lines
from saiki.record import Record

SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".conll.gz", ".conllu.gz")
#: the columns of Universal Dependencies; in other files the first is the word and the last the answer
UNIVERSAL = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


class Reader:
    """A long table: `unique_id` (the sentence), `ds` (the place in it), and the columns of the file.

    They are `word`, `column-2`, …, `y`; of CoNLL-U those of Universal Dependencies in small letters, `_` missing, without the
    lines of multiword tokens and empty nodes. Comments and `-DOCSTART-` are passed over.
    """

    suffixes = SUFFIXES

    def frame(self, path: Path) -> nw.DataFrame:
        """The whole table; DataError names the line that has other columns."""
        import polars as pl

        sentences = list(_sentences(path))
        if not sentences:
            raise DataError(
                f"{path} has no words; expected a word and its labels per line, blank lines between sentences"
            )
        names = _names(path, len(sentences[0][0][0]))
        rows = [row for words, _ in sentences for row in words]
        columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
        if names == UNIVERSAL:
            columns = _universal(columns)
        sizes = [len(words) for words, _ in sentences]
        where = {
            "unique_id": [number for number, size in enumerate(sizes, 1) for _ in range(size)],
            "ds": [place for size in sizes for place in range(1, size + 1)],
        }
        return nw.from_native(pl.DataFrame(where | columns))

    def read(self, path: Path) -> Iterator[Record]:
        """Every sentence as a record of its columns, lists of text."""
        for words, number in _sentences(path):
            names = _names(path, len(words[0]))
            fields = {name: [row[k] for row in words] for k, name in enumerate(names)}
            yield Record(_universal(fields) if names == UNIVERSAL else fields, f"{path}, line {number}")


def _sentences(path: Path) -> Iterator[tuple[list[list[str]], int]]:
    """The words of every sentence, each a list of its columns, and the line in which it begins."""
    check_file(path)
    universal, words, first, width, tabbed = _is_universal(path), [], 0, 0, False
    for number, line in enumerate(lines(path), 1):
        line = line.rstrip("\r")
        tabs = "\t" in (line if tabbed else line.strip())  # an empty cell may stand first or last
        tabbed = tabbed or (tabs and bool(line.strip()))
        cells = line.split("\t") if tabs else re.split(r"[ \t]+", line.strip(" \t"))
        if not line.strip() or line.startswith("-DOCSTART-"):
            if words:
                yield words, first
            words = []
        elif not _passed_over(cells, universal, bool(words), width or len(cells) * tabs):
            width, first = width or len(cells), first if words else number
            if len(cells) != width:
                raise DataError(
                    f"{path}, line {number}: got {len(cells)} columns; expected {width}, as in the lines before"
                )
            words.append([cell.strip() for cell in cells])
    if words:
        yield words, first


def _passed_over(cells: list[str], universal: bool, inside: bool, width: int) -> bool:
    """Whether a line is a comment, which stand before a sentence, or no word of its own."""
    if cells[0].startswith("#") and not inside and (universal or len(cells) != width):
        return universal or width > 0 or cells[0] == "#"
    return universal and not cells[0].isdigit()


def _is_universal(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".conllu")


def _names(path: Path, width: int) -> tuple[str, ...]:
    if _is_universal(path):
        if width != len(UNIVERSAL):
            raise DataError(f"{path}: got {width} columns; a file of CoNLL-U has {len(UNIVERSAL)}, apart by tabs")
        return UNIVERSAL
    between = tuple(f"column-{k}" for k in range(2, width))
    return ("word", *between, "y") if width > 1 else ("word",)


def _universal(columns: dict[str, list[str]]) -> dict[str, list]:
    return {
        name: values if name == "form" else [None if value == "_" else value for value in values]
        for name, values in columns.items()
        if name != "id"
    }
