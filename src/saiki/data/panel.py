"""Many series as arrays: one per id and target, sorted by id and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from saiki.data._assemble import assemble
from saiki.data._notes import describe
from saiki.data._rows import Stretches, ranges
from saiki.data.clock import Clock
from saiki.data.columns import Columns
from saiki.data.frequency import Frequency
from saiki.data.roles import Roles
from saiki.errors import DataError


@dataclass(frozen=True)
class Panel(Stretches):
    """Many series, one after the other, each in order of time.

    ids        [series] what identifies a series: the id; the target's name (several targets, no id); "id/target" (both)
    times      [steps] datetime64[us] or int64
    lengths    [series]
    y          [steps] float64, NaN = missing
    past       covariates known up to now, rows = steps
    future     covariates known ahead: per series `lengths` rows for its steps and `known` rows for the steps after them
    known      [series] steps after the last one for which `future` is known
    static     covariates of a series, rows = series
    frequency  the step between rows
    season     steps in a season, 1 if there is none
    roles      the names of the columns; `clock` the type that the time column had
    notes      what a user should know about the data, as sentences
    """

    ids: np.ndarray
    times: np.ndarray
    lengths: np.ndarray
    y: np.ndarray
    past: Columns
    future: Columns
    known: np.ndarray
    static: Columns
    frequency: Frequency
    season: int
    roles: Roles
    clock: Clock
    notes: list[str] = field(default_factory=list)

    @cached_property
    def future_starts(self) -> np.ndarray:
        """The first row of each series in `future`: `[series]`."""
        rows = self.lengths + self.known
        return np.cumsum(rows) - rows

    @cached_property
    def first_index(self) -> np.ndarray:
        """The number of each series' first step on the calendar (`Frequency.index`): `[series]`."""
        index = np.zeros(len(self), np.int64)
        some = self.lengths > 0
        index[some] = self.frequency.index(self.times[self.starts[some]])
        return index

    def __getitem__(self, series: int) -> np.ndarray:
        """The values of one series: `[time]`."""
        start = self.starts[series]
        return self.y[start : start + self.lengths[series]]

    def future_times(self, horizon: int) -> np.ndarray:
        """The times of the `horizon` steps after the end of every series: `[series, horizon]`."""
        if (self.lengths == 0).any():
            raise DataError(f"series {self.ids[self.lengths.argmin()]!r} has no steps; expected at least one")
        return self.frequency.future(self.times[self.starts + self.lengths - 1], horizon)

    def describe(self) -> list[tuple[str, str]]:
        """What was understood of the data, as pairs of a word and what it says."""
        return describe(self)

    def select(self, series: np.ndarray | Sequence[int]) -> Panel:
        """Only these series, in this order."""
        series = np.asarray(series, dtype=np.int64)
        return self._part(series, self.starts[series], self.lengths[series], self.known[series])

    def cut(self, last: int) -> tuple[Panel, Panel]:
        """The history without the `last` steps of every series, and those steps.

        A series shorter than `last + 2` stays wholly in the history (two steps are the least to learn from); it has
        no steps in the second part, which still names all series. What `future` says of the steps cut off stays known.
        """
        cut = np.where(self.lengths >= last + 2, last, 0)
        every = np.arange(len(self))
        kept = self.lengths - cut
        history = self._part(every, self.starts, kept, self.known + cut)
        truth = self._part(every, self.starts + kept, cut, self.known, self.future_starts + kept)
        return history, truth

    def _part(self, series, first, lengths, known, first_future=None) -> Panel:
        """`lengths` steps from step `first` on of each of the chosen series."""
        first_future = self.future_starts[series] if first_future is None else first_future
        steps = ranges(first, lengths)
        future = self.future.take(ranges(first_future, lengths + known)) if self.future else self.future
        return replace(
            self,
            ids=self.ids[series],
            times=self.times[steps],
            lengths=lengths,
            y=self.y[steps],
            past=self.past.take(steps) if self.past else self.past,
            future=future,
            known=known,
            static=self.static.take(series) if self.static else self.static,
        )


def panel(
    frame: Any,
    *,
    target: Sequence[str] | str | None = None,
    id: str | None = None,
    time: str | None = None,
    past: Sequence[str] = (),
    future: Sequence[str] = (),
    static: Sequence[str] = (),
    freq: str | int | None = None,
    season: int | None = None,
    roles: Roles | None = None,
) -> Panel:
    """A panel from a long table (one row per id and time) or a wide one (several targets, one row per time).

    frame   whatever `read_frame` takes
    id      default `unique_id` if there is such a column, else one series
    time    default `ds`, else the only column of times, else the order of the rows
    target  default `y`
    freq    the step, such as `h` or `15min`; default: the most common one
    season  steps in a season; default: found by autocorrelation
    roles   all names at once, as a saved model keeps them; nothing else is then looked up

    Rows come in any order; null and NaN are missing; steps that a regular series leaves out are added as missing.
    Raises DataError in one line for data that cannot be used.
    """
    parts = assemble(frame, roles or (target, id, time, past, future, static), freq, season)
    return Panel(**parts)
