"""Macro F1: the mean over classes of 2 TP / (2 TP + FP + FN); a class that neither occurs nor is chosen is left out."""

from __future__ import annotations

import numpy as np

from saiki.metrics._classes import confusion

BETTER = "higher"


def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """From codes `[rows]` and probabilities `[rows, classes]`."""
    counts = confusion(truth, probabilities)
    both = counts.sum(0) + counts.sum(1)  # 2 TP + FP + FN
    return float((2 * counts.diagonal()[both > 0] / both[both > 0]).mean())
