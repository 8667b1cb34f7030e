"""Symmetric mean absolute percentage error, 0 to 200: 200 |y - f| / (|y| + |f|), and 0 where both are 0.

Source: Makridakis, Spiliotis, Assimakopoulos, "The M4 Competition", IJF 36(1), 2020: the mean over series of each
series' mean over the horizon.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._mean import over_series, over_steps


def per_series(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """`[series]` in percent, from `[series, horizon]`; missing truth (NaN) is left out."""
    size = np.abs(truth) + np.abs(forecast)
    return over_steps(200.0 * np.abs(truth - forecast) / np.where(size == 0, 1.0, size))


def score(truth: np.ndarray, forecast: np.ndarray) -> float:
    """The mean over all series, in percent."""
    return over_series(per_series(truth, forecast))
