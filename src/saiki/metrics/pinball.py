"""Pinball loss of quantile forecasts: q (y - f) where y >= f, else (1 - q) (f - y), in the unit of the target."""

from __future__ import annotations

import numpy as np

from saiki.metrics._mean import over_series, over_steps


def per_series(truth: np.ndarray, forecast: np.ndarray, quantile: float) -> np.ndarray:
    """`[series]` from `[series, horizon]` and a quantile between 0 and 1; missing truth (NaN) is left out."""
    error = truth - forecast
    return over_steps(np.maximum(quantile * error, (quantile - 1) * error))


def score(truth: np.ndarray, forecast: np.ndarray, quantile: float) -> float:
    """The mean over all series."""
    return over_series(per_series(truth, forecast, quantile))
