"""Continuous ranked probability score: the distance of a whole forecast distribution from the truth, in the unit of the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saiki.metrics._mean import over_series, over_steps

#: intervals whose ends and the median stand for a distribution: the quantiles 5, 10, … 95 %
LEVELS = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0)


def from_quantiles(truth: np.ndarray, quantiles: Sequence[np.ndarray]) -> float:
    """Twice the mean pinball loss of n quantiles at k / (n + 1), rising, each `[series, horizon]`: the mean over series.

    Source: CRPS = 2 ∫ pinball_p dp (Gneiting and Raftery 2007, JASA 102, section 4.2), here over evenly spread p.
    """
    loss = np.zeros_like(truth)
    for number, quantile in enumerate(quantiles, 1):
        level, error = number / (len(quantiles) + 1), truth - quantile
        loss += np.maximum(level * error, (level - 1) * error)
    return over_series(over_steps(2 * loss / len(quantiles)))


def gaussian(truth: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> float:
    """The closed form: σ (z (2 Φ(z) - 1) + 2 φ(z) - 1/√π), z = (y - μ) / σ (Gneiting and Raftery 2007, equation 21)."""
    from scipy.special import ndtr

    z = (truth - mean) / sigma
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return over_series(over_steps(sigma * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))))
