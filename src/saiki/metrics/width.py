"""Width of the forecast interval, in the unit of the target; among intervals that cover as they should, narrow is better."""

from __future__ import annotations

import numpy as np

from saiki.metrics._mean import over_series, over_steps


def per_series(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """`[series]` from `[series, horizon]`; steps whose truth is missing (NaN) are left out."""
    return over_steps(np.where(np.isnan(truth), np.nan, high - low))


def score(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The mean over all series."""
    return over_series(per_series(truth, low, high))
