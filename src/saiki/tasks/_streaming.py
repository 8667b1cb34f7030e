"""Forecasts row by row: after each row, the forecast that `predict` gives for all rows so far.

The network looks back a fixed number of steps, so a stream keeps that many rows of each id and computes its window anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import torch

from saiki.data import clock as clock
from saiki.data.clock import Clock
from saiki.data.columns import LARGEST, SMALLEST, Columns
from saiki.data.windows import WindowBatch
from saiki.errors import DataError, ModelError, near_misses
from saiki.modalities.table import RoleCodec
from saiki.tasks._forecasting import ForecastTask


class _Rows:
    """The last rows of one id: times, values of each target, covariates."""

    def __init__(self, history: int) -> None:
        self.rows: deque[tuple[Any, dict[str, Any]]] = deque(maxlen=history)
        self.first: Any = None
        self.regular = True


class ForecastStream:
    """State of many series at once, keyed by id. `push` takes a row and gives one forecast per target.

    A stream needs a model without columns known ahead: a row cannot say what they will be.
    """

    def __init__(self, task: ForecastTask, network: torch.nn.Module) -> None:
        if task.roles.future:
            names = " ".join(task.roles.future)
            raise ModelError(f"this model cannot stream: --future {names} must be known ahead; train without --future")
        self.task, self.network = task, network.eval()
        self.memory = max(
            task.plan.history, task.theta.memory if task.theta.share else 0
        )  # rows that are kept of each id
        self._ids: dict[Any, _Rows] = {}
        self._clock: Clock | None = None

    def push(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The forecast after this row: per target a dictionary of unique_id, ds `[horizon]` and the forecast columns.

        A missing value is None or NaN. Raises DataError for a row that is not later than the one before it.
        """
        roles = self.task.roles
        time, values = self._read(row)
        key = row.get(roles.id) if roles.id else None
        if roles.id and key is None:
            raise DataError(
                f"the row has no {roles.id!r}{near_misses(roles.id, list(row))}; expected the id of its series"
            )
        held = self._ids.setdefault(key, _Rows(self.memory))
        self._append(held, time, values)
        return self._forecast(key, held)

    def _read(self, row: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Time and values of a row, checked as the columns of a table are."""
        roles = self.task.roles
        names = [n for n in roles.columns if n not in (roles.id, roles.time)]
        for name in [*names, *([roles.time] if roles.time else [])]:
            if name not in row:
                raise DataError(
                    f"the row has no {name!r}{near_misses(name, list(row))} (it has: {', '.join(map(str, row))})"
                )
        values = {n: row[n] for n in names}
        for name in roles.target:
            values[name] = _number(name, row[name])
        if roles.time is None:
            return None, values
        times, self._clock = clock.times(pl.Series(roles.time, [row[roles.time]]))
        return times[0], values

    def _append(self, held: _Rows, time: Any, values: dict[str, Any]) -> None:
        if self.task.roles.time is None:
            time = np.int64(held.rows[-1][0] + 1 if held.rows else 0)
            self._clock = Clock("rows")
        if held.rows:
            last = held.rows[-1][0]
            if type(time) is not type(last) or time <= last:
                raise DataError(f"the row's time {time} does not come after {last}; expected rows in order of time")
            _, exact = self.task.frequency.grid(np.array([time]), np.array([held.first]))
            held.regular &= bool(exact[0])
        else:
            held.first = time
        held.rows.append((time, values))

    def _forecast(self, key: Any, held: _Rows) -> list[dict[str, Any]]:
        plan, roles = self.task.plan, self.task.roles
        places, times = self._places(held)
        targets = len(roles.target)
        further = np.full((targets, self.memory), np.nan)
        for place, (_, values) in zip(places + self.memory - plan.history, held.rows, strict=True):
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
            past=_columns(self.task.codec.past, held, take, targets),
            future=_columns(self.task.codec.future, held, np.full(plan.history + plan.horizon, -1), targets),
            static=_columns(self.task.codec.static, held, np.array([len(held.rows) - 1]), targets, squeeze=True),
            times=np.tile(times, (targets, 1)),
            phase=np.zeros(targets, np.int64),
            steps=(plan.history, plan.horizon),
            further=further if self.task.theta.share else None,
        )
        found = self.task.forecast_batch(self.network, batch)
        assert self._clock is not None
        ahead = clock.unclock(times[plan.history :], self._clock, roles.time or "ds").to_list()
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
            window[low:] = _between(
                frequency, held.first, int(steps[-1]) - (plan.history - 1 - low), plan.history - low, times
            )
        else:
            places = np.arange(plan.history - len(times), plan.history)
            window[places[places >= 0]] = times[places >= 0]
        return places, np.concatenate([window, ahead.astype(times.dtype)])


def _between(frequency: Any, first: Any, start: int, count: int, like: np.ndarray) -> np.ndarray:
    """The times of `count` steps from step `start` after `first` on."""
    later = frequency.future(np.array([first], dtype=like.dtype), max(1, start + count))[0]
    every = np.concatenate([np.array([first], dtype=like.dtype), later.astype(like.dtype)])
    return every[start : start + count]


def _number(name: str, value: Any) -> float:
    if value is None:
        return float("nan")
    if not isinstance(value, int | float | np.number):  # true and false are numbers, as in a table
        raise DataError(f"{name!r} is {value!r}; expected a number, or null where it is missing")
    if abs(value) > LARGEST:
        what = "infinite" if abs(value) == float("inf") else f"beyond {LARGEST:g}"
        raise DataError(f"{name!r} is {what}; expected a number, or null where it is missing")
    return 0.0 if abs(value) < SMALLEST else float(value)


def _columns(codec: RoleCodec, held: _Rows, take: np.ndarray, targets: int, squeeze: bool = False) -> Columns:
    """The covariates of a role for the rows `take`, alike for every target."""
    rows = [values for _, values in held.rows]
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
