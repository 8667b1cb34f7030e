"""Forecasts row by row: after each row, the forecast that `predict` gives for all rows so far.

The network looks back a fixed number of steps, so a stream keeps that many rows of each id and computes its window anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import torch

from saiki.data import clock
from saiki.data._rows import sorted_rows
from saiki.data.clock import Clock
from saiki.data.columns import LARGEST, SMALLEST, Columns, as_polars, numbers, plain
from saiki.data.frames import short
from saiki.data.windows import WindowBatch
from saiki.errors import DataError, ModelError, near_misses
from saiki.modalities.table import RoleCodec
from saiki.tasks._forecast_tables import as_table
from saiki.tasks._forecasting import ForecastTask
from saiki.tasks._rows_given import check_values, known_by, with_id


@dataclass(frozen=True)
class _Rows:
    """What is known of one id: its last rows, times with the values of targets and covariates, the latest last."""

    rows: deque[tuple[Any, dict[str, Any]]]
    first: Any = None  # the time of its first row
    step: int = 0  # steps from there to the last row
    count: int = 0  # rows in all
    exact: bool = True  # every row so far lies on the grid of the first
    static: dict[str, Any] = field(default_factory=dict)

    @property
    def regular(self) -> bool:
        """Whether rows are laid on the grid, as `saiki.data._rows.on_grid` decides it for a whole series."""
        return self.exact and self.step + 1 <= 2 * self.count


class ForecastStream:
    """State of many series at once, keyed by id. `push` takes a row and gives one forecast per target.

    A stream needs a model without columns known ahead: a row cannot say what they will be.
    """

    def __init__(self, task: ForecastTask, network: torch.nn.Module) -> None:
        if task.roles.future:
            names = " ".join(task.roles.future)
            raise ModelError(f"this model cannot stream: --future {names} must be known ahead; train without --future")
        self.task, self.network = task, network.eval()
        #: rows that are kept of each id
        self.memory = max(task.plan.history, task.theta.memory if task.theta.share else 0)
        self._ids: dict[str | None, _Rows] = {}
        self._zoned: bool | None = None  # whether times so far were moments of a time zone

    def begin(self, history: Any) -> None:
        """Start after the rows of a table, as if each of them had been pushed; it costs no forecasts. Once, before any row.

        history  what `predict` takes. Raises DataError where predict would, and after a first row.
        """
        if self._ids:
            raise DataError("the stream has rows already; expected the history before the first of them")
        frame = as_table(history, self.task.roles)
        frequency, roles = self.task.read(frame).frequency, self.task.roles
        names = [n for n in roles.columns if n not in (roles.id, roles.time)]
        table = {name: as_polars(frame[name]) for name in roles.columns}
        days, counted = self.task.frequency.days, frequency.unit == "integer"
        rows = sorted_rows(table, roles, known_step=True, counted=counted, midnights=days)
        texts = self.task.codec.past.categorical + self.task.codec.static.categorical
        told = {
            n: table[n].cast(pl.String).to_list() if n in texts else numbers(table[n], "covariate").tolist()
            for n in names
        }
        self._zoned = rows.clock.absolute
        starts = np.repeat(rows.starts, rows.lengths)
        steps, exact = self.task.frequency.grid(rows.times, rows.times[starts])
        ids = [plain(id) for id in rows.ids] if roles.id else [None]
        for id, start, count in zip(ids, rows.starts, rows.lengths, strict=True):
            every = [{n: told[n][at] for n in names} for at in rows.at[start : start + count]]
            static: dict[str, Any] = {}
            for values in every if roles.static else []:
                static = self._static(static, id, values)
            self._ids[known_by(id, roles.id)] = _Rows(
                deque(zip(rows.times[start : start + count], every, strict=True), maxlen=self.memory),
                rows.times[start],
                int(steps[start + count - 1]),
                int(count),
                bool(exact[start : start + count].all()),
                static,
            )

    def push(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The forecast after this row: per target a dictionary of unique_id, ds `[horizon]` and the forecast columns.

        A missing value is None or NaN. Raises DataError for a row that is not later than the one before it, or is none of this
        model; the state is then as if the row had not come.
        """
        roles = self.task.roles
        row = with_id(row, roles.id)
        key = row.get(roles.id) if roles.id else None
        if roles.id and key is None:
            raise DataError(
                f"the row has no {roles.id!r}{near_misses(roles.id, list(row))}; expected the id of its series"
            )
        before = self._ids.get(known_by(key, roles.id))
        time, values, written = self._read(row, before.rows[-1][0] if before else None)
        held = self._grown(before or _Rows(deque(maxlen=self.memory)), key, time, values)
        found = self._forecast(key, held, written)
        self._ids[known_by(key, roles.id)], self._zoned = held, written.absolute
        return found

    def _read(self, row: Mapping[str, Any], last: Any) -> tuple[Any, dict[str, Any], Clock]:
        """Time and values of a row, checked as the columns of a table are; `last` is the time of the row before it."""
        roles = self.task.roles
        names = [n for n in roles.columns if n not in (roles.id, roles.time)]
        check_values(row, [*names, roles.time])
        values = {n: row[n] for n in names}
        for name in roles.target:
            values[name] = _number(name, row[name])
        if roles.time is None:
            return None, values, Clock("rows")
        frequency = self.task.frequency
        times, written = clock.times(
            pl.Series(roles.time, [row[roles.time]]),
            midnights=frequency.days,
            counted=frequency.unit == "integer",
            after=last,
        )
        if not frequency.fits(times):
            kind = "an integer" if frequency.unit == "integer" else "a date or a time"
            raise DataError(f"{roles.time!r} is {row[roles.time]!r}; expected {kind}, as in training")
        if self._zoned not in (None, written.absolute):
            raise DataError(
                f"{roles.time!r} is {row[roles.time]!r}, {'with' if written.absolute else 'without'} a time zone; "
                "expected times as in the rows before it"
            )
        return times[0], values, written

    def _grown(self, held: _Rows, key: Any, time: Any, values: dict[str, Any]) -> _Rows:
        """With one more row."""
        if self.task.roles.time is None:
            time = np.int64(held.count)
        if held.rows and time <= (last := held.rows[-1][0]):
            raise DataError(
                f"the row's time {clock.shown(time)} does not come after {clock.shown(last)}; expected rows in order of time"
            )
        first = held.first if held.rows else time
        step, exact = self.task.frequency.grid(np.array([time]), np.array([first]))
        return _Rows(
            deque([*held.rows, (time, values)], maxlen=held.rows.maxlen),
            first,
            int(step[0]),
            held.count + 1,
            held.exact and bool(exact[0]),
            self._static(held.static, key, values),
        )

    def _static(self, known: dict[str, Any], key: Any, values: dict[str, Any]) -> dict[str, Any]:
        """The static columns of an id, each from the first row that tells it."""
        codec = self.task.codec.static
        now: dict[str, Any] = {n: None if (v := _number(n, values[n])) != v else v for n in codec.numeric}
        now |= {n: None if (v := values[n]) is None or v != v else str(v) for n in codec.categorical}
        for name, value in now.items():
            if None not in (value, known.get(name)) and value != known[name]:
                raise DataError(
                    f"static column {name!r} changes within {self.task.roles.id or 'the series'} {key!r}; "
                    "expected one value per series"
                )
        return {name: value if known.get(name) is None else known[name] for name, value in now.items()}

    def _forecast(self, key: Any, held: _Rows, written: Clock) -> list[dict[str, Any]]:
        plan, roles = self.task.plan, self.task.roles
        places, times = self._places(held)
        targets, rows = len(roles.target), [values for _, values in held.rows]
        further = np.full((targets, self.memory), np.nan)
        for place, values in zip(places + self.memory - plan.history, rows, strict=True):
            if place >= 0:
                further[:, place] = [values[n] for n in roles.target]
        present = np.broadcast_to(np.arange(plan.history) >= places[0], (targets, plan.history))
        take = np.full(plan.history, -1)
        take[places[places >= 0]] = np.flatnonzero(places >= 0)
        batch = WindowBatch(
            series=np.arange(targets),
            ends=np.full(targets, plan.history),
            y=further[:, self.memory - plan.history :],
            present=present,
            target=np.full((targets, plan.horizon), np.nan),
            past=_columns(self.task.codec.past, rows, take, targets),
            future=_columns(self.task.codec.future, rows, np.full(plan.history + plan.horizon, -1), targets),
            static=_columns(self.task.codec.static, [held.static], np.zeros(1, np.int64), targets, squeeze=True),
            times=np.tile(times, (targets, 1)),
            phase=np.zeros(targets, np.int64),
            steps=(plan.history, plan.horizon),
            further=further if self.task.theta.share else None,
        )
        found = self.task.forecast_batch(self.network, batch)
        ahead = clock.unclock(times[plan.history :], written, roles.time or "ds")
        ahead = (short(ahead) if isinstance(ahead.dtype, pl.Datetime) else ahead).to_list()
        names = [self._name(key, target) for target in roles.target]
        stamp = {roles.time or "ds": [t if isinstance(t, int) else str(t) for t in ahead]}
        return [
            {roles.id or "unique_id": name, **stamp, **{c: v[k].tolist() for c, v in found.items()}}
            for k, name in enumerate(names)
        ]

    def _name(self, key: Any, target: str) -> Any:
        roles = self.task.roles
        if roles.id is None:
            return target
        return key if len(roles.target) == 1 else f"{key}/{target}"

    def _places(self, held: _Rows) -> tuple[np.ndarray, np.ndarray]:
        """Where each row stands in the window (below 0: outside it), and the times of window and horizon."""
        plan, frequency = self.task.plan, self.task.frequency
        times = np.array([time for time, _ in held.rows])
        ahead = frequency.future(times[-1:], plan.horizon)[0]
        window = np.full(plan.history, times[0], dtype=times.dtype)
        if held.regular:
            steps, _ = frequency.grid(times, np.full(len(times), held.first, dtype=times.dtype))
            places = plan.history - 1 - (steps[-1] - steps)
            low = max(0, int(places[0]))
            since = np.arange(low, plan.history) + held.step - (plan.history - 1)
            window[low:] = frequency.later(np.array([held.first]), since)[0].astype(times.dtype)
        else:
            places = np.arange(plan.history - len(times), plan.history)
            window[places[places >= 0]] = times[places >= 0]
        return places, np.concatenate([window, ahead.astype(times.dtype)])


def _number(name: str, value: Any) -> float:
    if value is None:
        return float("nan")
    if not isinstance(value, int | float | np.number):  # true and false are numbers, as in a table
        raise DataError(f"{name!r} is {value!r}; expected a number, or null where it is missing")
    if abs(value) > LARGEST:
        what = "infinite" if abs(value) == float("inf") else f"beyond {LARGEST:g}"
        raise DataError(f"{name!r} is {what}; expected a number, or null where it is missing")
    return 0.0 if abs(value) < SMALLEST else float(value)


def _columns(
    codec: RoleCodec, rows: list[dict[str, Any]], take: np.ndarray, targets: int, squeeze: bool = False
) -> Columns:
    """The covariates of a role for the rows `take`, alike for every target."""
    numbers = np.array([[_number(n, r[n]) for n in codec.numeric] for r in rows], float).reshape(len(rows), -1)
    known = [{v: k for k, v in enumerate(values)} for values in codec.values]
    codes = [[known[k].get(str(r[n]), -1) for k, n in enumerate(codec.categorical)] for r in rows]
    table = Columns(
        codec.numeric, codec.categorical, numbers, np.array(codes, np.int32).reshape(len(rows), -1), codec.values
    )
    found = table.take(np.tile(take, (targets, 1)))
    if squeeze:
        return Columns(found.numeric, found.categorical, found.numbers[:, 0], found.codes[:, 0], found.values)
    return found
