"""What the scores of labels share: probabilities `[rows, classes]` and the code of the true class `[rows]`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def chosen(probabilities: np.ndarray) -> np.ndarray:
    """The most probable class of each row; the first of equals."""
    return probabilities.argmax(1)


def confusion(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts `[true class, chosen class]`."""
    classes = probabilities.shape[1]
    return np.bincount(truth * classes + chosen(probabilities), minlength=classes**2).reshape(classes, classes)


def one_against_rest(
    truth: np.ndarray, probabilities: np.ndarray, score: Callable[[np.ndarray, np.ndarray], float]
) -> float:
    """`score(is the class, its probability)`: of the second of two classes; of more, the mean over those that occur."""
    classes = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else [1]
    found = [score(truth == k, probabilities[:, k]) for k in classes if 0 < (truth == k).sum() < len(truth)]
    return float(np.mean(found)) if found else float("nan")
