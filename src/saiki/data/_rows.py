"""The rows of a table in order: sorted, checked for duplicates, and laid on the grid of their frequency."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from saiki.data.clock import Clock, times
from saiki.data.columns import identities
from saiki.data.frequency import Frequency, infer, irregular
from saiki.data.roles import Roles
from saiki.errors import DataError, OptionError


class Stretches:
    """Series one after the other in flat arrays; `lengths [series]` says where one ends."""

    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def starts(self) -> np.ndarray:
        """The first step of each series: `[series]`."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def begins(self) -> np.ndarray:
        """Whether a step is the first of its series: `[steps]`."""
        found = np.zeros(int(self.lengths.sum()), bool)
        found[self.starts[self.lengths > 0]] = True
        return found


@dataclass
class Rows(Stretches):
    """The rows of the table in order of id and time; `at` is the row of the table, -1 for a step that was added."""

    ids: np.ndarray  # [ids]
    lengths: np.ndarray  # [ids]
    times: np.ndarray  # [rows]
    at: np.ndarray  # [rows]
    clock: Clock


def ranges(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """`first[k], first[k] + 1, …` for `lengths[k]` steps, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - (ends - lengths), lengths)


def sorted_rows(
    table: dict[str, pl.Series], roles: Roles, known_step: bool = False, counted: bool = False, midnights: bool = True
) -> Rows:
    """The rows in order of id and time; DataError for duplicates, and where no series has two rows to tell the step.

    counted    integers are counts, even where they read as dates
    midnights  as `saiki.data.clock.times` takes it
    """
    size = len(next(iter(table.values())))
    ids, code = identities(table[roles.id]) if roles.id else (np.array([""], object), np.zeros(size, np.int64))
    if roles.time is None:
        moment, clock = np.arange(size), Clock("rows")
    else:
        moment, clock = times(table[roles.time], midnights, counted)
    order = np.arange(size)
    ahead = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (moment[1:] >= moment[:-1]))
    if not ahead.all():
        order = np.lexsort((moment, code))
        code, moment = code[order], moment[order]
    same = np.flatnonzero((code[1:] == code[:-1]) & (moment[1:] == moment[:-1]))
    if len(same):
        _duplicated(roles, ids[code[same[0]]], moment[same[0]], len(same))
    lengths = np.bincount(code, minlength=len(ids))
    if lengths.max() < 2 and not known_step:
        raise DataError(f"no series has two rows ({len(ids)} series, {size} rows); expected one row per step")
    if clock.kind == "rows":
        moment = np.arange(size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Rows(ids, lengths, moment, order, clock)


def _duplicated(roles: Roles, id: Any, moment: Any, count: int) -> None:
    which = f"{roles.id} {str(id)!r} has" if roles.id else "there are"
    advice = (
        "remove or average them"
        if roles.id
        else ("if the file holds several series, name their column with --id (several together: --id store/item)")
    )
    raise DataError(
        f"duplicated times: {which} two rows at {roles.time} {moment} ({count} such rows in all); "
        f"expected one row per series and time; {advice}"
    )


def frequency_of(rows: Rows, freq: str | int | None) -> Frequency:
    """The step that was asked for, or else the most common one; OptionError if it does not fit the times."""
    if freq is None:
        return infer(rows.times, rows.lengths)
    frequency = Frequency.parse(freq)
    if not frequency.fits(rows.times):
        have = "integers" if rows.times.dtype.kind == "i" else "dates"
        raise OptionError(f"frequency {freq!r} does not fit a time of {have}; expected {_example(have)}")
    return frequency


def _example(have: str) -> str:
    return "an integer step (and --season for the season)" if have == "integers" else "a step such as h, D, W or MS"


def on_grid(rows: Rows, frequency: Frequency) -> tuple[Rows, Frequency, np.ndarray, np.ndarray]:
    """Add the steps that regular series leave out, as missing.

    Returns the rows, the frequency, the number of steps added and whether the time is irregular, per id. A series off
    the grid, or with more steps left out than rows, is irregular: its rows are taken as steps.
    """
    starts = rows.starts
    step, fits = frequency.grid(rows.times, np.repeat(rows.times[starts], rows.lengths))
    wanted = step[starts + rows.lengths - 1] + 1
    advance = np.diff(step, prepend=-1)
    advance[starts] = 1
    off = np.logical_or.reduceat(~fits | (advance < 1), starts)
    uneven = off | (wanted > 2 * rows.lengths)
    added = np.where(uneven, 0, wanted - rows.lengths)
    frequency = irregular(frequency) if uneven.any() else frequency
    if not added.any():
        return rows, frequency, added, uneven
    lengths = rows.lengths + added
    inner = np.where(np.repeat(uneven, rows.lengths), np.arange(len(step)) - np.repeat(starts, rows.lengths), step)
    place = inner + np.repeat(np.cumsum(lengths) - lengths, rows.lengths)
    at = np.full(lengths.sum(), -1)
    at[place] = rows.at
    moment = np.empty(len(at), rows.times.dtype)
    moment[place] = rows.times
    _fill_times(moment, at, frequency)
    return Rows(rows.ids, lengths, moment, at, rows.clock), frequency, added, uneven


def _fill_times(moment: np.ndarray, at: np.ndarray, frequency: Frequency) -> None:
    """Give the added steps the times that follow the last row before them."""
    gaps = np.flatnonzero(at < 0)
    before = np.maximum.accumulate(np.where(at >= 0, np.arange(len(at)), 0))[gaps]
    ahead = gaps - before
    for distance in np.unique(ahead):
        chosen = ahead == distance
        moment[gaps[chosen]] = frequency.future(moment[before[chosen]], int(distance))[:, -1]
