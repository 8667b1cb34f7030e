"""Micro F1 of sets of labels: 2 right / (given + true), over all documents and labels; NaN where there are none."""

from __future__ import annotations

import numpy as np

BETTER = "higher"


def score(truth: np.ndarray, chosen: np.ndarray) -> float:
    """From `[rows, labels]`, true where a label is true, and where it is given."""
    both = float(truth.sum() + chosen.sum())
    return 2 * float((truth * chosen).sum()) / both if both else float("nan")


def by_label(truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The F1 of every label; NaN of one that is neither true nor given."""
    both = truth.sum(0) + chosen.sum(0)
    return np.divide(2.0 * (truth * chosen).sum(0), both, out=np.full(len(both), np.nan), where=both > 0)


def best_thresholds(truth: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Per label the probability from which on giving it has the best F1 on these rows; 0.5 of one that is never true.

    It lies between two probabilities that occur, or at 0.5 where that is as good.
    """
    found = np.full(p.shape[1], 0.5)
    for k in np.flatnonzero(truth.sum(0)):
        order = np.argsort(-p[:, k], kind="stable")
        sure, right = p[order, k], np.cumsum(truth[order, k])
        f1 = 2 * right / (np.arange(1, len(sure) + 1) + right[-1])
        f1[:-1][sure[:-1] == sure[1:]] = -1  # no border between equals
        best = int(f1.argmax())
        at_half = 2 * truth[p[:, k] >= 0.5, k].sum() / ((p[:, k] >= 0.5).sum() + right[-1])
        if f1[best] > at_half + 1e-9:
            found[k] = (sure[best] + (sure[best + 1] if best + 1 < len(sure) else 0.0)) / 2
    return found
