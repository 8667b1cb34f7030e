"""Expected calibration error: how far the probability of the chosen class is from how often it is right.

Rows in 15 groups of equal width by that probability; the mean distance, weighted by rows.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017 (arXiv 1706.04599), equation 3.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._classes import chosen

GROUPS = 15


def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """From codes `[rows]` and probabilities `[rows, classes]`."""
    sure, right = probabilities.max(1), chosen(probabilities) == truth
    group = np.minimum((sure * GROUPS).astype(int), GROUPS - 1)
    apart = np.bincount(group, weights=sure - right, minlength=GROUPS)
    return float(np.abs(apart).sum() / len(truth))
