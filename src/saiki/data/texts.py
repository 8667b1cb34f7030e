"""Tables of documents with one answer each: a column of text, a row per document."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from saiki.data._layout import Layout, present
from saiki.data.columns import as_polars, counts_rows
from saiki.data.roles import ID, TARGET
from saiki.errors import DataError
from saiki.readers import _collection, read_frame
from saiki.readers._collection import CLASS, FILE, TEXT

#: words of a text that is more than a name
PROSE = 3


@dataclass(frozen=True)
class Documents:
    """Many documents, and what is known of each.

    ids      [documents] the column --id, or the number of the row
    texts    [documents] as they stand in the table, "" where there is none
    answers  [documents] labels, None where unknown; None if the column is absent
    group    [documents] what must not be split, as codes; None without --group
    """

    ids: np.ndarray
    texts: list[str]
    answers: pl.Series | None
    group: np.ndarray | None
    layout: Layout
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def lengths(self) -> np.ndarray:
        """Characters of every document, without spaces around it."""
        return np.array([len(text.strip()) for text in self.texts], np.int64)

    def select(self, rows: np.ndarray | Sequence[int]) -> Documents:
        """Only these documents, in this order."""
        rows = np.asarray(rows, np.int64)
        answers = None if self.answers is None else self.answers.gather(rows)
        group = None if self.group is None else self.group[rows]
        return replace(self, ids=self.ids[rows], texts=[self.texts[k] for k in rows], answers=answers, group=group)

    @property
    def known(self) -> np.ndarray:
        """Which documents have an answer."""
        return np.zeros(len(self), bool) if self.answers is None else (~self.answers.is_null()).to_numpy()

    def fingerprint(self) -> str:
        """A hash of texts and answers: equal data, equal hash, whatever the file format or the order of the rows."""
        answers = [None] * len(self) if self.answers is None else self.answers.to_list()
        rows = sorted((text.strip(), str(answer)) for text, answer in zip(self.texts, answers, strict=True))
        return hashlib.sha256(str(rows).encode("utf-8", "replace")).hexdigest()

    def describe(self) -> list[tuple[str, str]]:
        """What was understood, as pairs of a word and what it says."""
        low, middle, high = (int(q) for q in np.quantile(self.lengths, [0, 0.5, 1], method="nearest"))
        rows = [
            ("documents", f"{len(self):,}, column {self.layout.source[0]}"),
            ("characters", f"{int(self.lengths.sum()):,} ({low:,} to {high:,} in each, median {middle:,})"),
        ]
        return rows + [("note", note) for note in self.notes]


def text_column(frame: nw.DataFrame, columns: dict[str, Any]) -> str | None:
    """The column of documents: the source that was named, if it is text; else the only column of text, without numbers beside.

    What numbers the rows is no column of numbers. DataError where several columns are text, or one of prose stands beside numbers.
    """
    kinds = {name: isinstance(kind, nw.String | nw.Categorical) for name, kind in frame.schema.items()}
    source = columns.get("source")
    named = [source] if isinstance(source, str) else list(source or [])
    if named:
        return named[0] if len(named) == 1 and kinds.get(named[0]) else None
    id = columns.get("id") or (ID if ID in frame.columns else None)
    # whether a row is a step of a series
    steps = columns.get("time") or (id in frame.columns and frame[id].n_unique() < len(frame))
    roles = [id, columns.get("time"), columns.get("group"), *(columns.get("static") or ())]
    taken = {*roles, _target(frame.columns, columns)}
    others = [name for name in frame.columns if name not in taken]
    texts = [name for name in others if kinds[name]]
    if not texts or steps:
        return others[0] if len(others) == 1 and others == texts else None
    numbers = [n for n in others if frame.schema[n].is_numeric() and not counts_rows(as_polars(frame[n]))]
    if len(texts) == 1 and not numbers:
        return texts[0]
    prose = [name for name in texts if _is_prose(as_polars(frame[name]))]
    if prose or not numbers:
        beside = f" beside {len(numbers)} of numbers ({numbers[0]}, …)" if numbers else ""
        raise DataError(
            f"got {len(texts)} column{'s' * (len(texts) > 1)} of text ({', '.join(texts)}){beside}; "
            f"name what is to be read with --source, such as --source {(prose or texts)[0]}"
        )
    return None


def _is_prose(column: pl.Series) -> bool:
    """Whether most texts are several words, and most of them different: no names of things."""
    known = column.cast(pl.String).drop_nulls().head(1000)
    words = known.str.count_matches(r"\S+")
    return len(known) > 0 and int((words >= PROSE).sum()) > len(known) / 2 and known.n_unique() > len(known) / 2


def _target(names: Sequence[str], columns: dict[str, Any]) -> str:
    """The column of labels: as named, `y`, or the first of a file without a header."""
    target = columns.get("target")
    if isinstance(target, list | tuple):
        if len(target) != 1:
            raise DataError(f"target: got {len(target)} columns; expected the one column of labels")
        target = target[0]
    headless = TARGET not in names and list(names) == [str(k) for k in range(len(names))]
    return target or ("0" if headless else TARGET)


def layout_for(column: str, columns: dict[str, Any], group: str | None, names: Sequence[str] = ()) -> Layout:
    """Which column is what, in a table with columns of these names."""
    return Layout((column,), _target(names, columns), columns.get("id"), None, (), group, 1)


def documents(
    data: Any,
    layout: Layout,
    training: bool = False,
    encoding: str | None = None,
    sets: bool = False,
    classes: tuple[str, ...] | None = None,
) -> Documents:
    """Read a table, or a folder; the columns of answers and groups may be absent unless it is for training.

    sets     answers are any number of labels, and an empty field is none of them
    classes  those that are known, by which a folder is read
    """
    own = _collection.documents(data, encoding, classes)
    frame = read_frame(data, encoding=encoding) if own is None else own
    if own is not None:  # it goes by whatever names the columns had in training
        names = {TEXT: layout.source[0], CLASS: layout.target} | ({FILE: layout.id} if layout.id else {})
        frame = frame.rename({old: new for old, new in names.items() if old in frame.columns})
    id = layout.id or (FILE if own is not None and FILE in frame.columns else None)
    table = {name: as_polars(frame[name]) for name in frame.columns}
    if not len(frame):
        raise DataError("the table has no rows; expected one document per row")
    needed = [*layout.source, *filter(None, [layout.id]), *([layout.target] if training else [])]
    for name in [*needed, *([layout.group] if training and layout.group else [])]:
        present(name, table)
    texts = table[layout.source[0]]
    if texts.dtype not in (pl.String, pl.Categorical, pl.Null):
        raise DataError(f"column {layout.source[0]!r} holds {texts.dtype}; the model reads text there")
    group = table.get(layout.group) if layout.group else None
    ids = table[id].to_numpy() if id else np.arange(1, len(frame) + 1)
    codes = None if group is None else group.cast(pl.String).cast(pl.Categorical).to_physical().fill_null(0).to_numpy()
    answers = table.get(layout.target)
    if answers is not None and answers.dtype.is_float():
        answers = answers.fill_nan(None)
    if sets and answers is not None and answers.dtype == pl.String:
        answers = answers.fill_null("")
    given = texts.cast(pl.String).fill_null("").to_list()
    return Documents(ids, given, answers, codes, layout)
