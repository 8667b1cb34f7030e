"""Where text comes from: a file whole, its lines, the files of a folder, a column of a table, or a string in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saiki.data.tokens import Part
from saiki.errors import DataError, near_misses
from saiki.readers import read, suffixes
from saiki.readers import text as plain
from saiki.readers._collection import is_collection, unpacked

#: characters of the longest path that a system takes
LONGEST_PATH = 4096


def text_parts(
    data: Any, column: str | None = None, documents: str = "whole", encoding: str | None = None
) -> Iterator[Part]:
    """The text of `data` in parts, and where documents end.

    data       a path to a text file, a folder or an archive of them or a table; a list of documents
    column     the column of a table that holds the text, one document per row
    documents  whole: a text file is one text; lines: each of its lines is a document

    Raises DataError for what holds no text.
    """
    if isinstance(data, str) and ("\n" in data or len(data) > LONGEST_PATH):
        raise DataError(f"got a text of {len(data):,} characters; expected a path, or a list of texts: give [text]")
    if isinstance(data, str | Path):
        path = Path(data)
        if is_collection(path):
            with unpacked(path) as folder:
                for file in plain.files(folder):
                    yield from _closed(plain.parts(file, encoding))
        elif column is not None or _is_table(path):
            yield from _rows(path, column, encoding)
        elif documents == "lines":
            yield from ((line, True) for line in plain.lines(path, encoding) if line.strip())
        else:
            yield from ((part, False) for part in plain.parts(path, encoding))
        return
    if not isinstance(data, list | tuple) or not all(isinstance(d, str) for d in data):
        raise DataError(f"the data is a {type(data).__name__}; expected a path to text, or a list of texts")
    yield from ((document, len(data) > 1) for document in data)


def _closed(parts: Iterator[str]) -> Iterator[Part]:
    """Parts of one document, with its end."""
    held = None
    for part in parts:
        if held is not None:
            yield held, False
        held = part
    if held is not None:
        yield held, True


def _is_table(path: Path) -> bool:
    name = path.name.lower()
    return any(name.endswith(s) for s, reader in suffixes().items() if reader != "text")


def _rows(path: Path, column: str | None, encoding: str | None) -> Iterator[Part]:
    column = column or "text"
    for record in read(path, encoding, as_text=True):
        if column not in record:
            raise DataError(
                f"{record.origin}: no column called {column!r}{near_misses(column, record)} (there are: "
                f"{', '.join(record)}); name the column of texts with --source"
            )
        value = record[column]
        if value is not None and not isinstance(value, str):
            raise DataError(f"{record.origin}: {column!r} is {value!r}; expected text")
        if value:
            yield value, True
