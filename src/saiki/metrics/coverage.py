"""Coverage: the share of the truth inside the forecast interval, its ends included; 0.8 is right for level 80."""

from __future__ import annotations

import numpy as np

from saiki.metrics._mean import over_series, over_steps

BETTER = "level"


def per_series(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """`[series]` from `[series, horizon]`; missing truth (NaN) is left out."""
    unknown = np.isnan(truth) | np.isnan(low) | np.isnan(high)
    return over_steps(np.where(unknown, np.nan, (low <= truth) & (truth <= high)))


def score(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The mean over all series."""
    return over_series(per_series(truth, low, high))
