"""Which column of a table of labelled series is what, and the rows of such a table as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from saiki.data._rows import Rows, sorted_rows
from saiki.data.columns import LARGEST, Columns, counts_rows, covariates, identities, numbers, plain
from saiki.data.roles import ID, TARGET, TIME, Roles
from saiki.errors import DataError, OptionError, near_misses


@dataclass(frozen=True)
class Layout:
    """Names of columns by role. A wide table has no id: each row is a series, its columns are the steps, in order.

    channels  numbers per step in a wide table: x1 y1 x2 y2 … are 2
    """

    source: tuple[str, ...]
    target: str
    id: str | None = None
    time: str | None = None
    static: tuple[str, ...] = ()
    group: str | None = None
    channels: int = 1

    @property
    def wide(self) -> bool:
        return self.id is None

    @property
    def form(self) -> str:
        """`one row each`, or by which id."""
        return "one row each" if self.wide else f"by {self.id}"

    def channel_words(self, count: int) -> str:
        """How many there are, or their names."""
        if self.wide:
            return f"{count} (columns {self.source[0]} to {self.source[-1]})"
        return ", ".join(self.source) if count <= 12 else f"{count} ({', '.join(self.source[:6])}, …)"

    def time_words(self, irregular: bool) -> str:
        """What is taken as time."""
        if self.wide:
            return "the order of the columns"
        return "the order of the rows" if self.time is None else f"{self.time}{', irregular' if irregular else ''}"

    def check(self, table: dict[str, pl.Series]) -> None:
        """DataError unless what goes in is there; answers and groups may be absent."""
        for name in (
            *self.source,
            *self.static,
            *((self.id,) if self.id else ()),
            *((self.time,) if self.time else ()),
        ):
            present(name, table)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        """From plain data."""
        lists: dict[str, Any] = {name: tuple(data[name]) for name in ("source", "static")}
        plain = {name: data[name] for name in ("target", "id", "time", "group", "channels")}
        return cls(**lists, **plain)


def present(name: str, table: dict[str, pl.Series]) -> None:
    """DataError with near misses for a column that is not there."""
    if name not in table:
        some = ", ".join(list(table)[:12]) + (", …" if len(table) > 12 else "")
        raise DataError(f"no column {name!r}{near_misses(name, table)} (columns: {some})")


def layout_of(
    table: dict[str, pl.Series],
    source: Sequence[str] | str | None = None,
    target: Sequence[str] | str | None = None,
    id: str | None = None,
    time: str | None = None,
    static: Sequence[str] = (),
    group: str | None = None,
    channels: int = 1,
) -> Layout:
    """What was asked for, with the defaults filled in: `unique_id`, `ds`, `y`, and every other column of numbers as source."""
    answer = _target(table, target)
    id = id or (ID if ID in table else None)
    time = time or (TIME if TIME in table and id else None)
    if id is None and time is not None:
        raise DataError(
            f"got a time column {time!r} but no id; expected the column that tells series apart: --id COLUMN"
        )
    if id is not None and channels != 1:
        raise OptionError(f"channels {channels} is for wide tables; in a long one every source column is a channel")
    taken = {answer, id, time, group, *static}
    named = (source,) if isinstance(source, str) else tuple(source or ())
    found = named or tuple(
        n
        for n, s in table.items()
        if n not in taken and (s.dtype.is_numeric() or s.dtype == pl.Boolean) and not counts_rows(s)
    )
    layout = Layout(found, answer, id, time, tuple(static), group, channels)
    for name in (
        *found,
        answer,
        *static,
        *([group] if group else []),
        *([id] if id else []),
        *([time] if time else []),
    ):
        present(name, table)
    if not found:
        raise DataError("no column of numbers is left to read series from; name columns with --source")
    if len(found) % channels:
        raise OptionError(
            f"{len(found)} columns cannot be cut into steps of {channels} channels; see --source, --channels"
        )
    twice = [n for n in found if n in taken]
    if twice:
        raise DataError(
            f"column {twice[0]!r} is given twice among source, target, id, time, static and group; expected once"
        )
    return layout


def _target(table: dict[str, pl.Series], target: Sequence[str] | str | None) -> str:
    """The column of answers: as named, `y`, or the first of a file without a header, as in the UCR archive."""
    names = (target,) if isinstance(target, str) else tuple(target or ())
    if len(names) > 1:
        raise OptionError(f"target: got {len(names)} columns; expected one answer per series")
    if names:
        return names[0]
    if TARGET in table or list(table) != [str(k) for k in range(len(table))]:
        present(TARGET, table)
        return TARGET
    return "0"


def wide_rows(table: dict[str, pl.Series], layout: Layout) -> dict[str, Any]:
    """The fields of Labelled from one row per series; missing steps at the end make it shorter."""
    size = len(next(iter(table.values())))
    values = np.column_stack([numbers(table[name], "source") for name in layout.source])
    _finite(values, layout.source)
    steps = values.reshape(size, -1, layout.channels)
    seen = np.logical_or.reduce(~np.isnan(steps), axis=2)
    lengths = np.where(np.logical_or.reduce(seen, axis=1), steps.shape[1] - seen[:, ::-1].argmax(1), 0)
    inside = np.arange(steps.shape[1]) < lengths[:, None]
    names = tuple(f"channel-{k}" for k in range(layout.channels)) if layout.channels > 1 else ("value",)
    nothing = np.empty((int(lengths.sum()), 0), np.int32)
    return {
        "ids": np.arange(size),
        "lengths": lengths,
        "source": Columns(names, (), steps[inside], nothing, ()),
        "gap": None,
        "static": _statics(table, layout, size),
        "answers": _answers(table, layout.target),
        "group": identities(table[layout.group])[1] if layout.group and layout.group in table else None,
        "layout": layout,
        "notes": _notes(lengths),
    }


def long_rows(table: dict[str, pl.Series], layout: Layout) -> dict[str, Any]:
    """The fields of Labelled from one row per step."""
    assert layout.id is not None
    rows = sorted_rows(table, Roles((), layout.id, layout.time), known_step=True)
    size = len(rows.at)
    source = covariates(table, layout.source, size).take(rows.at)
    _finite(source.numbers, source.numeric)
    static = _statics(table, layout, size)
    first = {name: _constant(table[name], rows, layout.id) for name in layout.static}
    answers = _answers(table, layout.target)
    group = layout.group if layout.group in table else None
    places = np.column_stack([*first.values()]) if first else np.empty((len(rows.ids), 0), np.int64)
    return {
        "ids": rows.ids,
        "lengths": rows.lengths,
        "source": source,
        "gap": _gap(rows) if layout.time else None,
        "static": _static(static, layout.static, places),
        "answers": None if answers is None else answers.gather(_constant(answers, rows, layout.id)),
        "group": identities(table[group].gather(_constant(table[group], rows, layout.id)))[1] if group else None,
        "layout": layout,
        "notes": _notes(rows.lengths),
    }


def _statics(table: dict[str, pl.Series], layout: Layout, size: int) -> Columns:
    """The static columns of every row of the table."""
    static = covariates(table, layout.static, size)
    _finite(static.numbers, static.numeric, "static", "")
    return static


def _answers(table: dict[str, pl.Series], name: str) -> pl.Series | None:
    """The column of answers, NaN as missing; None without one."""
    column = table.get(name) if name else None
    if column is None or not column.dtype.is_float():
        return column
    _finite(column.to_numpy()[:, None], (name,), "target", "")
    return column.fill_nan(None)


def _static(static: Columns, names: tuple[str, ...], places: np.ndarray) -> Columns:
    """The static columns, each from the row that tells it: `places [series, names]`."""
    numeric = [static.numbers[places[:, names.index(n)], k] for k, n in enumerate(static.numeric)]
    codes = [static.codes[places[:, names.index(n)], k] for k, n in enumerate(static.categorical)]
    rows = len(places)
    stacked = np.column_stack(numeric) if numeric else np.empty((rows, 0))
    coded = np.column_stack(codes) if codes else np.empty((rows, 0), np.int32)
    return Columns(static.numeric, static.categorical, stacked, coded, static.values)


def _constant(column: pl.Series, rows: Rows, id: str) -> np.ndarray:
    """The row of the table that tells a column's one value in each series; DataError where there are two."""
    column = column.fill_nan(None) if column.dtype.is_float() else column
    codes = column.rank("dense").fill_null(0).to_numpy().astype(np.int64)[rows.at]
    place = np.arange(len(codes))
    first = np.minimum.reduceat(np.where(codes > 0, place, len(codes)), rows.starts)
    first = np.where(first < len(codes), first, rows.starts)
    differs = (codes != np.repeat(codes[first], rows.lengths)) & (codes > 0)
    if differs.any():
        series = np.searchsorted(rows.starts, differs.argmax(), side="right") - 1
        raise DataError(
            f"column {column.name!r} changes within {id} {plain(rows.ids[series])!r}; expected one value per series "
            "(an answer for every step is another task)"
        )
    return rows.at[first]


def _gap(rows: Rows) -> np.ndarray:
    """Time since the step before, 0 for the first of a series."""
    moments = rows.times.astype(np.int64)
    gap = np.diff(moments, prepend=moments[:1]).astype(float)
    gap[rows.starts] = 0
    return gap


def _finite(
    values: np.ndarray, names: tuple[str, ...], role: str = "source", order: str = " of the series in order"
) -> None:
    infinite = np.abs(values) > LARGEST
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        what = "infinite values" if np.isinf(values[row, column]) else f"values beyond {LARGEST:g}"
        raise DataError(
            f"{role} column {names[column]!r} has {what}, the first in row {row + 1}{order}; "
            "expected numbers, empty where they are missing"
        )


def _notes(lengths: np.ndarray) -> list[str]:
    empty = int((lengths == 0).sum())
    return [f"{empty} of {len(lengths)} series have no step at all."] if empty else []
