"""Accuracy: the share of rows whose most probable class is the true one."""

from __future__ import annotations

import numpy as np

from saiki.metrics._classes import chosen

BETTER = "higher"


def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """From codes `[rows]` and probabilities `[rows, classes]`."""
    return float((chosen(probabilities) == truth).mean())
