"""Theta: the mean of a straight line and of exponential smoothing around twice the way from it; in season as Naive2.

    x = y without its season (as Naive2 takes it out)       line = least squares over time
    forecast = ½ (line + SES(2 x - line)), the season put back

Source: Assimakopoulos, Nikolopoulos, "The theta model", IJF 16(4), 2000, as M4's benchmark of that name; here missing
values are left out and the smoothing parameter is the best of 40 between 0.01 and 0.99.
"""

from __future__ import annotations

import numpy as np

from saiki.baselines._rows import forecasts, last_observed
from saiki.baselines._smoothing import LATEST, Candidates, smooth
from saiki.baselines.naive2 import adjusted

#: series up to which it is computed unasked: it takes some milliseconds each
MANY = 5000
CANDIDATES = Candidates.grid(np.linspace(0.01, 0.99, 40))


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`, NaN on the left of a shorter row."""
    values = values[:, -LATEST:]
    plain, index, multiplied = adjusted(values, horizon, season)
    time = np.arange(-values.shape[1], 0.0)
    level, slope = _line(plain, time)
    line = level[:, None] + slope[:, None] * time
    far = 2 * plain - line
    smoothed = smooth(far, CANDIDATES, _first(far), np.zeros((len(values), 1))).level
    ahead = 0.5 * (smoothed[:, None] + level[:, None] + slope[:, None] * np.arange(horizon))
    answer = np.where(multiplied[:, None], ahead * index, ahead + index)
    return np.where(np.isfinite(answer), answer, last_observed(values)[:, None])


forecast, forecast_all = forecasts(rows)


def _line(values: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level now and slope of the least squares line through what is observed: `[rows]` each."""
    seen = ~np.isnan(values)
    count = np.where(seen.any(1), seen.sum(1), np.nan)
    middle, mean = np.where(seen, time, 0.0).sum(1) / count, np.where(seen, values, 0.0).sum(1) / count
    away = np.where(seen, time - middle[:, None], 0.0)
    power = (away**2).sum(1)
    slope = (away * np.where(seen, values - mean[:, None], 0.0)).sum(1) / np.where(power > 0, power, np.nan)
    slope = np.where(power > 0, slope, 0.0)
    return mean - slope * middle, slope


def _first(values: np.ndarray) -> np.ndarray:
    """The first observed value of each row, 0 where there is none."""
    return np.nan_to_num(last_observed(values[:, ::-1]))
