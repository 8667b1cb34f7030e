"""One against the rest: for every label a logistic regression on TF-IDF of words and pairs of words (scikit-learn)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from saiki.baselines.tfidf import counted, reader

#: documents with any number of labels
TASKS = ("sets",)
#: inverse penalty; thresholds are found on a fifth that is held out
PENALTY = 4.0


def fit(
    texts: Sequence[str],
    truth: np.ndarray,
    labels: int,
    thresholds_of: Callable[[np.ndarray, np.ndarray], np.ndarray],
    characters: bool = False,
    balanced: bool = False,
) -> dict[str, Any]:
    """From documents and 0 and 1 `[documents, labels]`: plain data. Thresholds are chosen from truth and probabilities."""
    found, x = counted(texts, characters)
    if x is None:
        return found | {"weights": [[]] * labels, "bias": _usual(truth).tolist(), "thresholds": [0.5] * labels}
    order = np.random.default_rng(0).permutation(len(truth))
    held, seen = order[: len(order) // 5], order[len(order) // 5 :]
    weights, bias = _regressions(x[seen], truth[seen], balanced)
    thresholds = thresholds_of(truth[held], _sigmoid(x[held] @ weights.T + bias))
    weights, bias = _regressions(x, truth, balanced)
    parts = {"weights": weights, "bias": bias, "thresholds": thresholds}
    return found | {name: np.round(part, 6).tolist() for name, part in parts.items()}


def _regressions(x: Any, truth: np.ndarray, balanced: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[labels, words]` and biases; of a label that all documents have, or none, its share alone."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((truth.shape[1], x.shape[1])), _usual(truth)
    weigh = "balanced" if balanced else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for k in range(truth.shape[1]):
            if 0 < truth[:, k].sum() < len(truth):
                model = LogisticRegression(C=PENALTY, max_iter=300, class_weight=weigh).fit(x, truth[:, k])
                weights[k], bias[k] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _usual(truth: np.ndarray) -> np.ndarray:
    share = np.clip(truth.mean(0), 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share)).astype(float)


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(scores, -50, 50)))


def answer(fitted: dict[str, Any], texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `[documents, labels]`, and from which on each label is given."""
    return _sigmoid(reader(fitted)(texts)), np.array(fitted["thresholds"])
