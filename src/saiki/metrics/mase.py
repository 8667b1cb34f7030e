"""Mean absolute scaled error: |y - f| in units of the seasonal naive forecast's mean absolute error in the history.

    scale = mean of |y_t - y_(t-m)| over the history, m: season

A series whose scale is 0 (a constant) or undefined (no two values a season apart) has no MASE; `left_out` counts them.
Source: Hyndman, Koehler, "Another look at measures of forecast accuracy", IJF 22(4), 2006; M4 takes the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saiki.metrics._mean import over_series, over_steps

if TYPE_CHECKING:
    from saiki.data.panel import Panel


def scale(panel: Panel, season: int) -> np.ndarray:
    """`[series]` from the histories, NaN where it is 0 or undefined."""
    if season >= len(panel.y):
        return np.full(len(panel), np.nan)
    step = np.arange(len(panel.y)) - np.repeat(panel.starts, panel.lengths)
    change = np.full(len(panel.y), np.nan)
    change[season:] = np.where(step[season:] >= season, np.abs(panel.y[season:] - panel.y[:-season]), np.nan)
    series = np.repeat(np.arange(len(panel)), panel.lengths)[~np.isnan(change)]
    total = np.bincount(series, weights=change[~np.isnan(change)], minlength=len(panel))
    count = np.bincount(series, minlength=len(panel))
    return np.where((count > 0) & (total > 0), total / np.maximum(count, 1), np.nan)


def per_series(truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`[series]` from `[series, horizon]` and `scale [series]`; missing truth (NaN) is left out."""
    return over_steps(np.abs(truth - forecast)) / scale


def score(truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> float:
    """The mean over the series that have a scale."""
    return over_series(per_series(truth, forecast, scale))


def left_out(truth: np.ndarray, scale: np.ndarray) -> int:
    """Series with a known truth that have no scale."""
    return int((np.isnan(scale) & ~np.isnan(truth).all(1)).sum())
