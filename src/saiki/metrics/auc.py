"""Area under the ROC curve: how often a row of the class has a higher probability of it than one of another; ties count half.

Of two classes that of the second; of more, the mean over classes, each against the rest.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._classes import one_against_rest

BETTER = "higher"


def area(positive: np.ndarray, score: np.ndarray) -> float:
    """From which rows are of the class and a score `[rows]`: by ranks (Mann and Whitney 1947)."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # from 1; ties share their mean
    some = int(positive.sum())
    return float((rank[positive].sum() - some * (some + 1) / 2) / (some * (len(positive) - some)))


def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """From codes `[rows]` and probabilities `[rows, classes]`; NaN where one class alone occurs."""
    return one_against_rest(truth, probabilities, area)
