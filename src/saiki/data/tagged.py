"""Tables with a label on every step: words of sentences, events of series; one row per step."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from saiki.data._layout import Layout, long_rows, present
from saiki.data._rows import ranges, sorted_rows
from saiki.data.columns import as_polars, counts_rows, is_text
from saiki.data.labelled import Labelled
from saiki.data.roles import ID, TARGET, TIME, Roles
from saiki.errors import DataError, OptionError
from saiki.readers import read_frame

#: what columns of words are called where none is named
WORDS = ("word", "form", "token")


@dataclass(frozen=True)
class TagLayout:
    """Names of columns by role; without an id, all rows are one series.

    words     the column of words; None for series of numbers
    channels  columns that are told beside the words, or are the series
    """

    words: str | None
    channels: tuple[str, ...]
    target: str
    id: str | None = None
    time: str | None = None
    group: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TagLayout:
        lists: dict[str, Any] = {"channels": tuple(data["channels"])}
        return cls(**{**data, **lists})


@dataclass(frozen=True)
class Tagged:
    """Many series, one after the other, in order of id and time.

    series   their channels, times and groups; no answers
    words    [steps] text, "" where it is missing; None without a column of words
    answers  [steps] labels as they stand in the table, None where unknown; None if the column is absent
    at       [steps] the row of the table
    """

    series: Labelled
    words: list[str] | None
    answers: pl.Series | None
    at: np.ndarray
    layout: TagLayout
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.series)

    @property
    def lengths(self) -> np.ndarray:
        return self.series.lengths

    def select(self, series: np.ndarray) -> Tagged:
        """Only these series, in this order."""
        series = np.asarray(series, np.int64)
        steps = ranges(self.series.starts[series], self.lengths[series])
        words = None if self.words is None else [self.words[k] for k in steps]
        answers = None if self.answers is None else self.answers.gather(steps)
        return replace(self, series=self.series.select(series), words=words, answers=answers, at=self.at[steps])

    def fingerprint(self) -> str:
        """A hash of all of it: equal data, equal hash, whatever the file format or the order of the rows."""
        answers = [] if self.answers is None else self.answers.to_list()
        said = f"{self.series.fingerprint()} {self.words} {answers}"
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()

    def describe(self) -> list[tuple[str, str]]:
        """What was understood, as pairs of a word and what it says."""
        low, middle, high = (int(q) for q in np.quantile(self.lengths, [0, 0.5, 1], method="nearest"))
        layout = self.layout
        rows = [
            ("series", f"{len(self):,}, {f'by {layout.id}' if layout.id else 'all rows are one'}"),
            ("steps", f"{int(self.lengths.sum()):,} ({low:,} to {high:,}, median {middle:,})"),
        ]
        if self.words is not None:
            rows.append(("words", f"{len(set(self.words)):,} different ones in {layout.words}"))
        if layout.channels:
            numbers = self.series.source.numbers
            rows.append(("channels", ", ".join(layout.channels)))
            rows.append(("missing values", str(int(np.isnan(numbers).sum()))))
        rows.append(
            (
                "time",
                f"{layout.time}{', irregular' * self.series.irregular}" if layout.time else "the order of the rows",
            )
        )
        return rows + [("note", note) for note in self.notes]


def tag_layout(
    table: dict[str, pl.Series],
    source: Any = None,
    target: Any = None,
    id: str | None = None,
    time: str | None = None,
    group: str | None = None,
) -> TagLayout:
    """What was asked for, with the defaults filled in: `unique_id`, `ds`, `y`, and the column of words or all numbers as source.

    Of several columns that are named, a column of text that comes first is that of the words; other text is categories.
    """
    target = (target,) if isinstance(target, str) else tuple(target or (TARGET,))
    if len(target) != 1:
        raise OptionError(f"target: got {len(target)} columns; expected one label per step")
    id, time = id or (ID if ID in table else None), time or (TIME if TIME in table else None)
    named = (source,) if isinstance(source, str) else tuple(source or ())
    for name in (*named, *target, *filter(None, (id, time, group))):
        present(name, table)
    taken = [*target, *filter(None, (id, time, group))]
    twice = next((name for name in named if name in taken or named.count(name) > 1), None)
    if twice:
        raise DataError(f"column {twice!r} is given twice among source, target, id, time and group; expected once")
    columns = named or _found(table, taken)
    words = columns[0] if is_text(table[columns[0]]) else None
    return TagLayout(words, columns[1:] if words else columns, target[0], id, time, group)


def _found(table: dict[str, pl.Series], taken: list[str]) -> tuple[str, ...]:
    """The columns that go in where none are named."""
    rest = [name for name in table if name not in taken and not counts_rows(table[name])]
    if word := next((name for name in WORDS if name in rest and is_text(table[name])), None):
        return (word,)
    numbers = tuple(name for name in rest if table[name].dtype.is_numeric() or table[name].dtype == pl.Boolean)
    texts = [name for name in rest if is_text(table[name])]
    if numbers or len(texts) == 1:
        return numbers or tuple(texts)
    got = f"several columns of text ({', '.join(texts)})" if texts else "no column of words or numbers"
    raise DataError(f"got {got} beside the labels; name what goes in with --source (words first)")


def tagged(data: Any, layout: TagLayout | None = None, **asked: Any) -> Tagged:
    """Read a table as asked, or by a known layout: then the columns of labels and groups may be absent."""
    frame = read_frame(data, names=(layout.id if layout else asked.get("id"),))
    if not len(frame):
        raise DataError("the table has no rows; expected one row per step")
    table = {name: as_polars(frame[name]) for name in frame.columns}
    layout = layout or tag_layout(table, **asked)
    for name in (*filter(None, (layout.words, layout.id, layout.time)), *layout.channels):
        present(name, table)
    if layout.words and not (is_text(table[layout.words]) or table[layout.words].dtype == pl.Null):
        raise DataError(f"column {layout.words!r} holds {table[layout.words].dtype}; expected words")
    id = layout.id or ID
    if layout.id is None:
        table[ID] = pl.Series(ID, np.zeros(len(frame), np.int64))
    # the labels stay apart: long_rows takes answers to be one per series
    plain = Layout(layout.channels, "", id, layout.time, (), layout.group, 1)
    series = Labelled(**long_rows({n: c for n, c in table.items() if n != layout.target}, plain))
    at = sorted_rows(table, Roles((), id, layout.time), known_step=True).at
    words = table[layout.words].cast(pl.String).fill_null("").gather(at).to_list() if layout.words else None
    answers = table[layout.target].gather(at) if layout.target in table else None
    return Tagged(series, words, answers, at, layout, list(series.notes))
