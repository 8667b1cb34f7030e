"""Tables that a forecast reads: what comes in, in which library the answer goes out, history and truth apart."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from saiki.data._rows import ranges
from saiki.data.clock import times
from saiki.data.frames import native
from saiki.data.frequency import Frequency, infer
from saiki.data.panel import Panel
from saiki.data.roles import Roles
from saiki.data.wide import Turned, by_step
from saiki.errors import DataError, SaikiWarning
from saiki.readers import read_frame

#: which of two tables a row comes from, while they are joined
FROM = " from"
#: rows by which a series tells that its steps are others than the model's
ENOUGH_ROWS = 4


def as_table(data: Any, roles: Roles, past: Any = None) -> Any:
    """The data as `panel` takes them for these roles; `past` is what they go on from, as such a table."""
    found = turned(data, roles.id, roles.target, roles.time, past)
    return found.frame


def turned(data: Any, id: str | None, target: Sequence[str] | str | None, time: str | None, past: Any = None) -> Turned:
    """The data as a table; of an array `[series, time]`, and of a table with a column per step, a row is a series."""
    if not isinstance(data, np.ndarray):
        return by_step(read_frame(data, names=(id,)), id, target, time, past)
    rows = np.atleast_2d(data)
    if rows.ndim != 2:
        raise DataError(f"the array has shape {data.shape}; expected [series, time]")
    series, steps = np.indices(rows.shape)
    frame = pl.DataFrame({"unique_id": series.ravel(), "ds": steps.ravel(), "y": rows.ravel()})
    return Turned(read_frame(frame), None)


def check_step(data: Panel, own: Frequency) -> None:
    """DataError for a table whose rows keep to another step than the model's own; a warning where that step fits into its grid."""
    if data.frequency.regular:
        _check_gaps(data, own)
        return
    if not (data.lengths > 2).any():
        return
    step = infer(data.times, data.lengths)
    shorter = step.unit == own.unit and step.count < own.count
    other = own.regular and (step.unit, step.count) != (own.unit, own.count)
    if shorter or (other and _keeps(step, data.times, data.lengths)):
        raise DataError(
            f"the rows are {step.name} apart, the model was trained on steps of {own.name}; bring the data to that step first"
        )


def _check_gaps(data: Panel, own: Frequency) -> None:
    """A warning where all that is known lies, say, on every second step."""
    known = np.isfinite(data.y)
    lengths = np.bincount(np.repeat(np.arange(len(data)), data.lengths)[known], minlength=len(data))
    if lengths.sum() > 0.75 * len(known) or not (lengths > ENOUGH_ROWS).any():
        return
    step = infer(data.times[known], lengths)
    if step.count > own.count and _keeps(step, data.times[known], lengths):
        warnings.warn(
            f"The values are {step.name} apart, the model was trained on steps of {own.name}: what lies between counts as missing.",
            SaikiWarning,
            stacklevel=2,
        )


def _keeps(step: Frequency, times: np.ndarray, lengths: np.ndarray) -> bool:
    """Whether every row of series long enough to tell lies one such step after the row before it."""
    inside = np.repeat(lengths > ENOUGH_ROWS, lengths)
    times, lengths = times[inside], lengths[lengths > ENOUGH_ROWS]
    if not len(times):
        return False
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place, exact = step.grid(times, times[starts])
    return bool(exact.all() and (place == np.arange(len(place)) - starts).all())


def check_future(history: Panel, horizon: int) -> None:
    """DataError where columns known ahead end before the horizon; a warning where one of them is empty inside it."""
    if not history.future:
        return
    ahead = np.minimum(history.known, horizon)
    rows = ranges(history.future_starts + history.lengths, ahead)
    empty = {n: np.isnan(history.future.numbers[rows, k]) for k, n in enumerate(history.future.numeric)}
    empty |= {n: history.future.codes[rows, k] < 0 for k, n in enumerate(history.future.categorical)}
    for name, blank in empty.items():
        if blank.any():
            first = int(np.searchsorted(np.cumsum(ahead), int(blank.argmax()), side="right"))
            warnings.warn(
                f"--future {name} is empty in {int(blank.sum())} of {len(blank)} steps ahead, first of series "
                f"{str(history.ids[first])!r}; it counts as missing there: fill it in if it is known.",
                SaikiWarning,
                stacklevel=2,
            )
    if (history.known < horizon).any():
        short, names = int(np.argmin(history.known)), ", ".join(history.roles.future)
        raise DataError(
            f"the columns {names} must be known {horizon} steps ahead; series {history.ids[short]!r} has "
            f"{history.known[short]}: add rows after the history with {names} filled in and the target left empty"
        )


def library(data: Any, source: Any) -> Any:
    """The frame whose library an answer is in; None for files and arrays."""
    return None if isinstance(data, str | np.ndarray) or hasattr(data, "__fspath__") else source


def parse_time(text: str | None) -> Any:
    """A time as `str` wrote it."""
    return None if text is None else np.int64(text) if text.lstrip("-").isdigit() else np.datetime64(text)


def after(read: Callable[[Any], Panel], horizon: int, history: Any, data: Any, roles: Roles) -> tuple[Panel, Panel]:
    """The history, and what follows it, with the series in the same order; rows of the data that the history has too are those."""
    before = as_table(history, roles)
    later = as_table(data, roles, before)
    past = read(before)
    both = replace(read(_joined(before, later, past)), clock=past.clock)
    place = {str(name): row for row, name in enumerate(both.ids)}
    order = np.array([place[str(name)] for name in past.ids], np.int64)
    both = both.select(order)
    short = both.lengths < past.lengths  # steps that the history left out are no longer filled in
    if short.any():
        raise _apart(past, int(short.argmax()))
    ahead = np.clip(both.lengths - past.lengths, 0, horizon)
    steps = both.select(np.arange(len(both)))
    whole = steps._part(np.arange(len(both)), both.starts, past.lengths + ahead, np.zeros_like(ahead))
    before_it, after_it = _split_at(whole, past.lengths)
    if not np.array_equal(before_it.times, past.times):
        where = int(np.flatnonzero(before_it.times != past.times)[0])
        name = past.ids[np.searchsorted(past.starts, where, side="right") - 1]
        raise DataError(f"the truth of series {str(name)!r} does not come after its history, expected later times only")
    if not np.isfinite(after_it.y).any():
        raise DataError(
            f"no series of the truth has a value in the {horizon} steps after its history; expected the ids of the history, "
            "and the times that follow it"
        )
    if past.frequency.regular:
        inside = np.arange(horizon) < after_it.lengths[:, None]
        if (wrong := after_it.times != past.future_times(horizon)[inside]).any():
            raise _apart(past, int(np.repeat(np.arange(len(past)), after_it.lengths)[wrong.argmax()]))
    return before_it, after_it


def _apart(past: Panel, series: int) -> DataError:
    """The truth of a series that does not begin where its history ends."""
    first = past.future_times(1)[series, 0]
    return DataError(
        f"the truth of series {str(past.ids[series])!r} does not go on from its history in steps of {past.frequency.name}; "
        f"expected it to begin at {first} or soon after: add what lies between to the history, or leave that series out"
    )


def _split_at(whole: Panel, lengths: np.ndarray) -> tuple[Panel, Panel]:
    """Each series cut after `lengths` steps."""
    every = np.arange(len(whole))
    rest = whole.lengths - lengths
    past = whole._part(every, whole.starts, lengths, whole.known + rest)
    return past, whole._part(every, whole.starts + lengths, rest, whole.known, whole.future_starts + lengths)


def _joined(before: Any, after: Any, past: Panel) -> Any:
    """The rows of both tables, with the columns that have a role, each row once; `past` is what the history was read as."""
    roles, counted = past.roles, past.frequency.unit == "integer"
    frames, kinds, zoned = [], [], []
    for number, frame in enumerate((before, after)):
        table: Any = native(pl.DataFrame({n: frame[n].to_list() for n in frame.columns if n in roles.columns}))
        if roles.time in table.columns:  # each file may write its times in a way of its own
            found, clock = times(table[roles.time], counted=counted)
            moments = pl.Series(roles.time, found)
            table, kinds, zoned = table.with_columns(moments), [*kinds, moments.dtype], [*zoned, clock.absolute]
        frames.append(table.with_columns(pl.lit(number).alias(FROM)))
    if len(set(kinds)) > 1:
        words = ["integers" if kind == pl.Int64 else "dates or times" for kind in kinds]
        raise DataError(
            f"time column {roles.time!r}: the history has {words[0]}, the data {words[1]}; expected one kind"
        )
    if len(set(zoned)) > 1:
        words = ["a time zone" if zone else "none" for zone in zoned]
        raise DataError(
            f"time column {roles.time!r}: the history has {words[0]}, the data {words[1]}; expected one kind"
        )
    return _once(pl.concat(frames, how="diagonal_relaxed"), roles).drop(FROM)


def _once(both: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    """Rows that both tables have, once: what the history knows, and what the data add to it, such as the target of a row ahead."""
    if roles.time not in both.columns:
        return both
    keys = [name for name in (roles.id, roles.time) if name in both.columns]
    shared = pl.col(FROM).n_unique().over(keys) > 1
    if not both.select(shared.any()).item():
        return both
    values = [name for name in both.columns if name not in (*keys, FROM)]
    both = both.with_columns(pl.col(n).fill_nan(None) for n in values if both[n].dtype.is_float())
    told = [pl.col(n).drop_nulls().n_unique().over(keys) > 1 for n in roles.target if n in values]
    if told and len(other := both.filter(shared & pl.any_horizontal(told))):
        which = f" of series {str(other[roles.id][0])!r}" if roles.id in keys else ""
        raise DataError(
            f"the history and the data have different values at {roles.time} {other[roles.time][0]}{which} "
            f"({other.select(keys).n_unique()} such rows); expected the data to go on from the history, or to repeat it as it is"
        )
    merged = [
        pl.when(shared).then(pl.col(n).drop_nulls().first().over(keys)).otherwise(pl.col(n)).alias(n) for n in values
    ]
    return both.with_columns(merged).filter(~shared | (pl.col(FROM) == 0))
