"""Mean absolute error: |y - f|, in the unit of the target; the mean over series of each series' mean."""

from __future__ import annotations

import numpy as np

from saiki.metrics._mean import over_series, over_steps


def per_series(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """`[series]` from `[series, horizon]`; missing truth (NaN) is left out."""
    return over_steps(np.abs(truth - forecast))


def score(truth: np.ndarray, forecast: np.ndarray) -> float:
    """The mean over all series."""
    return over_series(per_series(truth, forecast))
