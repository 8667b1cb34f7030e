"""The value one season ago: the last observed one at the same place of the season."""

from __future__ import annotations

import numpy as np

from saiki.baselines._rows import by_season, forecasts, last_observed, repeat


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`; a place of the season never observed takes the last value."""
    seasons = by_season(values, season)
    pattern = last_observed(seasons.transpose(0, 2, 1).reshape(-1, seasons.shape[1])).reshape(-1, season)
    pattern = np.where(np.isnan(pattern), last_observed(values)[:, None], pattern)
    return repeat(pattern, horizon)


forecast, forecast_all = forecasts(rows)
