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
    change = np.abs(panel.y[season:] - panel.y[:-season])
    for start in panel.starts[panel.starts > 0]:  # the first season of a series stands beside another series
        change[max(start - season, 0) : start] = np.nan
    known = np.isfinite(change)
    total, count = (_sums(values, panel, season) for values in (np.where(known, change, 0), known.astype(np.int64)))
    return np.where((count > 0) & (total > 0), total / np.maximum(count, 1), np.nan)


def _sums(change: np.ndarray, panel: Panel, season: int) -> np.ndarray:
    """The sums over each series of changes against a season before: `[series]`."""
    found = np.zeros(len(panel), change.dtype)
    longer = np.flatnonzero(panel.lengths > season)
    if len(longer):
        found[longer] = np.add.reduceat(change, panel.starts[longer])
    return found


def per_series(truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`[series]` from `[series, horizon]` and `scale [series]`; missing truth (NaN) is left out."""
    return over_steps(np.abs(truth - forecast)) / scale


def score(truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> float:
    """The mean over the series that have a scale."""
    return over_series(per_series(truth, forecast, scale))


def left_out(truth: np.ndarray, scale: np.ndarray) -> int:
    """Series with a known truth that have no scale."""
    return int((np.isnan(scale) & ~np.isnan(truth).all(1)).sum())
