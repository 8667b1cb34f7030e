"""Average precision: the precision at each row of the class, from the most to the least probable, averaged.

Of two classes that of the second; of more, the mean over classes, each against the rest.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._classes import one_against_rest

BETTER = "higher"


def precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Σ (recall_k - recall_{k-1}) precision_k over the different scores, falling."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)  # equal scores count together
    gained = np.diff(hits[last], prepend=0) / hits[-1]
    return float((gained * hits[last] / (last + 1)).sum())


def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """From codes `[rows]` and probabilities `[rows, classes]`; NaN where one class alone occurs."""
    return one_against_rest(truth, probabilities, precision)
