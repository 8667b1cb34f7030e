"""Series as rows of a matrix, aligned at their ends: what the baselines compute on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from saiki.data.panel import Panel


class Forecast(Protocol):
    """The forecast of one series."""

    def __call__(self, history: np.ndarray, horizon: int, season: int = 1) -> np.ndarray: ...


class ForecastAll(Protocol):
    """The forecasts of a panel."""

    def __call__(self, panel: Panel, horizon: int, season: int | None = None) -> np.ndarray: ...


#: values in one matrix: some 16 MB
_VALUES = 2_000_000


def matrices(panel: Panel, latest: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Groups of series of similar length: their indices `[rows]` and values `[rows, time]`, NaN on the left.

    latest  at most so many of the last steps of each series
    """
    lengths = panel.lengths if latest is None else np.minimum(panel.lengths, latest)
    order = np.argsort(lengths, kind="stable")
    begin = 0
    while begin < len(order):
        rows = max(1, _VALUES // max(int(lengths[order[begin]]), 1))
        group = order[begin : begin + rows]
        group = group[: max(1, _VALUES // max(int(lengths[group[-1]]), 1))]
        yield group, _aligned(panel, group, int(lengths[group[-1]]))
        begin += len(group)


def forecasts(rows: Callable[[np.ndarray, int, int], np.ndarray]) -> tuple[Forecast, ForecastAll]:
    """The two functions of a baseline, `forecast` of one series and `forecast_all` of a panel, from the one that does the work:
    `rows(values [rows, time], horizon, season) -> [rows, horizon]`, values NaN on the left of a shorter row."""

    def forecast(history: np.ndarray, horizon: int, season: int = 1) -> np.ndarray:
        """`[horizon]` from `history [time]`."""
        return rows(np.asarray(history, float)[None], horizon, season)[0]

    def forecast_all(panel: Panel, horizon: int, season: int | None = None) -> np.ndarray:
        """`[series, horizon]`."""
        answer = np.full((len(panel), horizon), np.nan)
        for group, values in matrices(panel):
            answer[group] = rows(values, horizon, season or panel.season)
        return answer

    return forecast, forecast_all


def last_observed(values: np.ndarray) -> np.ndarray:
    """The last value of each row that is not missing, NaN if there is none: `[rows]` from `[rows, time]`."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    place = values.shape[1] - 1 - np.argmax(~np.isnan(values[:, ::-1]), axis=1)
    return values[np.arange(len(values)), place]


def by_season(values: np.ndarray, season: int) -> np.ndarray:
    """`[rows, seasons, season]`, aligned at the end; the first season is filled up with NaN."""
    short = -values.shape[1] % season
    values = np.pad(values, ((0, 0), (short, 0)), constant_values=np.nan)
    return values.reshape(len(values), values.shape[1] // season, season)


def repeat(pattern: np.ndarray, horizon: int) -> np.ndarray:
    """One season `[rows, season]` over and over: `[rows, horizon]`."""
    return pattern[:, np.arange(horizon) % pattern.shape[1]]


def _aligned(panel: Panel, series: np.ndarray, time: int) -> np.ndarray:
    step = panel.lengths[series, None] - time + np.arange(time)
    if not time:
        return np.empty((len(series), 0))
    return np.where(step >= 0, panel.y[np.maximum(panel.starts[series, None] + step, 0)], np.nan)
