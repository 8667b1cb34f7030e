"""Windows of a panel: a stretch of history and the steps to forecast, cut for many series at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from saiki.data.columns import Columns
from saiki.data.panel import Panel
from saiki.errors import DataError, OptionError

_SERIES = 4096  # whose places are looked at together: bounds the memory


@dataclass(frozen=True)
class WindowBatch:
    """Several windows; a history that is too short is padded on the left.

    series   [n] index of the series in the panel;  ends [n] index in the series of the first step to forecast
    y        [n, history] float64, NaN = missing or padding
    present  [n, history] False = padding
    target   [n, horizon] float64, NaN = missing or not yet known
    past     rows [n, history]
    future   rows [n, history + horizon]
    static   rows [n]
    times    [n, history + horizon]; in the padding they mean nothing
    phase    [n] which step of the season the first step to forecast is, counted from a fixed origin
    further  [n, memory] y from further back up to the horizon, for what looks beyond the history; None where nothing does
    """

    series: np.ndarray
    ends: np.ndarray
    y: np.ndarray
    present: np.ndarray
    target: np.ndarray
    past: Columns
    future: Columns
    static: Columns
    times: np.ndarray
    phase: np.ndarray
    steps: tuple[int, int]  # history, horizon
    further: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ends)


class Windows:
    """All windows of `history` past steps and `horizon` steps to forecast; with `memory`, the last so many values beside them.

    Raises OptionError for a history or a horizon below 1.
    """

    def __init__(self, panel: Panel, *, history: int, horizon: int, memory: int = 0) -> None:
        for name, value in (("history", history), ("horizon", horizon)):
            if value < 1:
                raise OptionError(f"{name} is {value}; expected 1 step or more")
        self.panel, self.history, self.horizon, self.memory = panel, history, horizon, memory

    def positions(
        self, kind: Literal["train", "valid", "last"], *, complete: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Series `[n]` and the index `[n]` of the first step to forecast.

        last   after the end of every series: none is left out
        valid  the last `horizon` steps of each series with at least `horizon + 2` steps, as in `Panel.cut`
        train  every place with an observed value in the history and one in the horizon; `complete`: only where the
               horizon lies inside the series (in a series too short for that, every place)
        """
        lengths = self.panel.lengths
        every = np.arange(len(lengths))
        if kind == "last":
            return every, lengths.copy()
        if kind == "valid":
            long = every[lengths >= self.horizon + 2]
            return self._learnable(long, lengths[long] - self.horizon)
        if kind != "train":
            raise OptionError(f"kind {kind!r} has no meaning; expected 'train', 'valid' or 'last'")
        whole = lengths - self.horizon if complete else lengths
        most = np.where(whole >= 1, np.minimum(whole, lengths - 1), np.maximum(lengths - 1, 0))
        found = [self._places(part, most[part]) for part in np.array_split(every, len(every) // _SERIES + 1)]
        return np.concatenate([s for s, _ in found]), np.concatenate([e for _, e in found])

    def cut(self, series: np.ndarray, ends: np.ndarray) -> WindowBatch:
        """The windows at these positions, by gathering; no loop over windows."""
        panel, past, ahead = self.panel, self.history, self.horizon
        series, ends = np.asarray(series, np.int64), np.asarray(ends, np.int64)
        inner = ends[:, None] + np.arange(-past, ahead)  # step within the series
        inside = (inner >= 0) & (inner < panel.lengths[series, None])
        steps = np.where(inside, panel.starts[series, None] + inner, -1)
        values = np.where(inside, panel.y[steps], np.nan) if len(panel.y) else np.full(inner.shape, np.nan)
        rows = panel.lengths[series, None] + panel.known[series, None]
        told = np.where((inner >= 0) & (inner < rows), panel.future_starts[series, None] + inner, -1)
        return WindowBatch(
            series=series,
            ends=ends,
            y=values[:, :past],
            present=inner[:, :past] >= 0,
            target=values[:, past:],
            past=panel.past.take(steps[:, :past]),
            future=panel.future.take(told),
            static=panel.static.take(series),
            times=self._times(series, ends, steps),
            phase=(panel.first_index[series] + ends) % panel.season,
            steps=(past, ahead),
            further=self._further(series, ends) if self.memory else None,
        )

    def _further(self, series: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The last `memory` values before these steps, NaN before the series begins."""
        inner = ends[:, None] + np.arange(-self.memory, 0)
        found = self.panel.y[np.maximum(self.panel.starts[series, None] + inner, 0)] if len(self.panel.y) else np.nan
        return np.where(inner >= 0, found, np.nan)

    @cached_property
    def _count(self) -> np.ndarray:
        """Observed values before each step of the panel: `[steps + 1]`."""
        return np.concatenate([[0], np.cumsum(~np.isnan(self.panel.y), dtype=np.int64)])

    def _places(self, series: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places 1…`most` of these series that something can be learned from."""
        ends = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most) + 1
        return self._learnable(np.repeat(series, most), ends)

    def _learnable(self, series: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Those of the places with an observed value in the history and one in the horizon."""
        start, length, count = self.panel.starts[series], self.panel.lengths[series], self._count
        now = count[start + ends]
        before = count[start + np.maximum(ends - self.history, 0)]
        after = count[start + np.minimum(ends + self.horizon, length)]
        keep = (now > before) & (after > now)
        return series[keep], ends[keep]

    def _times(self, series: np.ndarray, ends: np.ndarray, steps: np.ndarray) -> np.ndarray:
        panel = self.panel
        if not len(panel.times):
            raise DataError("the panel has no steps; expected at least one")
        times = panel.times[steps]
        beyond = ends + self.horizon > panel.lengths[series]
        if beyond.any():
            last = panel.times[panel.starts[series[beyond]] + panel.lengths[series[beyond]] - 1]
            ahead = panel.frequency.future(last, self.horizon)
            step = ends[beyond, None] + np.arange(self.horizon) - panel.lengths[series[beyond], None]
            taken = np.take_along_axis(ahead, np.maximum(step, 0), axis=1)
            part = times[beyond, self.history :]
            times[beyond, self.history :] = np.where(step >= 0, taken, part)
        return times
