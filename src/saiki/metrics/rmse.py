"""Root mean squared error, in the unit of the target.

The root of the mean over series of each series' mean of (y - f)^2.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._mean import over_series, over_steps


def per_series(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """The root of each series' mean squared error `[series]`; missing truth (NaN) is left out."""
    return np.sqrt(over_steps((truth - forecast) ** 2))


def score(truth: np.ndarray, forecast: np.ndarray) -> float:
    """The root is taken last, over all series."""
    return float(np.sqrt(over_series(per_series(truth, forecast) ** 2)))
