"""Where text comes from: a file whole, its lines, the files of a folder, a column of a table, or a list in Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from saiki.data.tokens import Part
from saiki.errors import DataError, near_misses
from saiki.readers import is_table, read, read_frame
from saiki.readers import text as plain
from saiki.readers._collection import is_collection, unpacked

#: the column of texts where none is named
TEXT = "text"
#: characters of the longest path that a system takes
LONGEST_PATH = 4096


def text_parts(
    data: Any, column: str | None = None, documents: str = "whole", encoding: str | None = None
) -> Iterator[Part]:
    """The text of `data` in parts, and where documents end.

    data       a path to a text file, a folder or an archive of them or a table; a frame; a list of documents
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
        elif column is not None or is_table(path):
            found = read(path, encoding, as_text=True)
            yield from _rows(((record.origin, record) for record in found), column or TEXT)
        elif documents == "lines":
            yield from ((line, True) for line in plain.lines(path, encoding) if line.strip())
        else:
            yield from ((part, False) for part in plain.parts(path, encoding))
        return
    if type(data).__name__ == "LazyFrame" or hasattr(data, "columns"):
        rows = enumerate(read_frame(data).iter_rows(named=True), 1)
        yield from _rows(((f"row {number}", row) for number, row in rows), column or TEXT)
        return
    if hasattr(data, "tolist") or hasattr(data, "to_list"):  # a Series, or an array
        listed = data.tolist() if hasattr(data, "tolist") else data.to_list()
        data = [text for text in listed if text is not None and text == text] if isinstance(listed, list) else data
    if not isinstance(data, list | tuple) or not all(isinstance(d, str) for d in data):
        raise DataError(
            f"the data is a {type(data).__name__}; expected a path to text, a frame with a column of texts, or a list of texts"
        )
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


def _rows(records: Iterable[tuple[str, Mapping[str, Any]]], column: str) -> Iterator[Part]:
    """The texts of a column, one document per record; each beside where it stands."""
    for origin, record in records:
        if column not in record:
            raise DataError(
                f"{origin}: no column called {column!r}{near_misses(column, record)} (there are: "
                f"{', '.join(record)}); name the column of texts with --source"
            )
        value = record[column]
        if value is None or value != value:  # pandas writes nothing as NaN
            continue
        if not isinstance(value, str):
            raise DataError(f"{origin}: {column!r} is {value!r}; expected text")
        if value:
            yield value, True
