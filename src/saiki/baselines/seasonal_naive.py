"""The value one season ago: the last observed one at the same place of the season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saiki.baselines._rows import by_season, each, last_observed, repeat

if TYPE_CHECKING:
    from saiki.data.panel import Panel


def forecast(history: np.ndarray, horizon: int, season: int = 1) -> np.ndarray:
    """`[horizon]` from `history [time]`."""
    return rows(np.asarray(history, float)[None], horizon, season)[0]


def forecast_all(panel: Panel, horizon: int, season: int | None = None) -> np.ndarray:
    """`[series, horizon]`."""
    return each(panel, horizon, season, rows)


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`; a place of the season never observed takes the last value."""
    seasons = by_season(values, season)
    pattern = last_observed(seasons.transpose(0, 2, 1).reshape(-1, seasons.shape[1])).reshape(-1, season)
    pattern = np.where(np.isnan(pattern), last_observed(values)[:, None], pattern)
    return repeat(pattern, horizon)
