"""Ridge regression on lags, pooled over all series: every step ahead is a linear function of the last seasons.

    x = (last values - level) / spread      level, spread: mean and standard deviation of those values
    z = (seasonal naive - level) / spread
    forecast = level + spread · (z + [x, 1] W)

W is fitted on windows of the history, for all steps ahead at once; the ridge pulls towards the seasonal naive forecast,
which is therefore the answer where there is nothing to learn from. Missing values in x count as the level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from saiki.baselines import seasonal_naive
from saiki.baselines._rows import matrices

if TYPE_CHECKING:
    from saiki.data.panel import Panel

WINDOWS = 100_000  # at most so many windows are learned from, evenly over time
LAGS = 400  # at most
STEPS = 336  # as many whole seasons as fit in these are lags, from 2 to SEASONS
SEASONS = 14
RIDGE = 0.1  # per lag: weighs as much as so many windows; much in short data, little in long
LATEST = 4000  # steps of a series that are looked at

Groups = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]  # each time anew: (series, values [rows, time])


def forecast(history: np.ndarray, horizon: int, season: int = 1) -> np.ndarray:
    """`[horizon]` from `history [time]`, fitted on this series alone."""
    history = np.asarray(history, float)[None]
    return _forecast(lambda: [(np.array([0]), history)], 1, history.shape[1], horizon, season)[0]


def forecast_all(panel: Panel, horizon: int, season: int | None = None) -> np.ndarray:
    """`[series, horizon]`, one regression for all series."""
    time = min(int(panel.lengths.max(initial=0)), LATEST)
    return _forecast(lambda: matrices(panel, LATEST), len(panel), time, horizon, season or panel.season)


def weights(panel: Panel, lags: int, horizon: int, season: int) -> np.ndarray:
    """W of that regression `[lags + 1, horizon]`, the intercept last."""
    return _fit(lambda: matrices(panel, LATEST), lags, horizon, season)


def count_lags(time: int, season: int) -> int:
    """How many lags it takes where the longest series has `time` steps."""
    return max(min(season * min(max(STEPS // season, 2), SEASONS), LAGS, time // 2), 1)


def _forecast(groups: Groups, series: int, time: int, horizon: int, season: int) -> np.ndarray:
    lags = count_lags(time, season)
    found = _fit(groups, lags, horizon, season)
    answer = np.full((series, horizon), np.nan)
    for group, values in groups():
        values = np.pad(values, ((0, 0), (max(lags - values.shape[1], 0), 0)), constant_values=np.nan)
        x, naive, level, spread = _inputs(values[:, values.shape[1] - lags :], horizon, season)
        linear = level + spread * (naive + x @ found)
        answer[group] = np.where(np.isfinite(linear), linear, seasonal_naive.rows(values, horizon, season))
    return answer


def _fit(groups: Groups, lags: int, horizon: int, season: int) -> np.ndarray:
    """`[lags + 1, horizon]` by the normal equations, some rows at a time."""
    gram, moment = np.zeros((lags + 1, lags + 1)), np.zeros((lags + 1, horizon))
    total = sum(len(values) * max(values.shape[1] - lags - horizon + 1, 0) for _, values in groups())
    stride = max(1, -(-total // WINDOWS))
    for _, values in groups():
        rows = max(1, 20_000 * stride // max(values.shape[1], 1))
        for begin in range(0, len(values), rows):
            x, rest = _windows(values[begin : begin + rows], lags, horizon, season, stride)
            gram += x.T @ x
            moment += x.T @ rest
    return np.linalg.solve(gram + RIDGE * lags * np.eye(lags + 1), moment)


def _windows(values: np.ndarray, lags: int, horizon: int, season: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[windows, lags + 1]` and what the seasonal naive forecast leaves `[windows, horizon]`."""
    ends = np.arange(values.shape[1] - horizon, lags - 1, -stride)
    if not len(ends):
        return np.zeros((0, lags + 1)), np.zeros((0, horizon))
    cut = np.lib.stride_tricks.sliding_window_view(values, lags + horizon, axis=1)[:, ends - lags]
    cut = cut.reshape(-1, lags + horizon)
    seen = ~np.isnan(cut)
    cut = cut[seen[:, lags:].all(1) & (2 * seen[:, :lags].sum(1) > lags)]  # whole targets, half of the lags
    x, naive, level, spread = _inputs(cut[:, :lags], horizon, season)
    rest = (cut[:, lags:] - level) / spread - naive
    usual = np.isfinite(rest).all(1) & (np.abs(rest) < 20).all(1)  # a constant that jumps would outweigh all others
    return x[usual], rest[usual]


def _inputs(values: np.ndarray, horizon: int, season: int) -> tuple[np.ndarray, ...]:
    """x with a last column of ones, the scaled seasonal naive forecast, level and spread `[rows, 1]`."""
    seen = ~np.isnan(values)
    count = np.where(seen.any(1), seen.sum(1), np.nan)[:, None]
    level = np.where(seen, values, 0.0).sum(1, keepdims=True) / count
    rest = np.where(seen, values - level, 0.0)
    spread = np.sqrt((rest**2).sum(1, keepdims=True) / count)
    spread = np.where(spread > 1e-9 * np.abs(level), spread, 1.0)
    x = np.concatenate([rest / spread, np.ones((len(values), 1))], axis=1)
    return x, (seasonal_naive.rows(values, horizon, season) - level) / spread, level, spread
