"""Bag of words: TF-IDF of words and pairs of words, and a logistic regression on it (scikit-learn)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from saiki.baselines._logistic import certain, coefficients, probabilities

#: the documents that the task classify reads from a column of text
TASKS = ("documents",)
#: inverse penalties that are tried on a fifth that is held out
PENALTIES = (1.0, 4.0, 16.0)
#: words and pairs kept at most, the most frequent
MOST = 40_000


def fit(texts: Sequence[str], truth: np.ndarray, classes: int) -> dict[str, Any]:
    """From documents and codes `[documents]`: plain data."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(**HOW, max_features=MOST)
    try:
        x = vectoriser.fit_transform(texts)
    except ValueError:  # no words at all
        share = np.bincount(truth, minlength=classes) / len(truth)
        return {"words": [], "idf": [], "weights": [[]] * classes, "bias": np.log(np.maximum(share, 1e-9)).tolist()}
    if len(np.unique(truth)) > 1:
        weights, bias = coefficients(_regression(x, truth), classes)
    else:
        weights, bias = certain(truth, x.shape[1], classes)
    words = vectoriser.get_feature_names_out().tolist()
    parts = {"idf": vectoriser.idf_, "weights": weights, "bias": bias}
    return {"words": words} | {name: np.round(part, 6).tolist() for name, part in parts.items()}


HOW: dict[str, Any] = {"ngram_range": (1, 2), "sublinear_tf": True, "token_pattern": r"(?u)\b\w+\b|[^\w\s]"}


def _regression(x: Any, truth: np.ndarray) -> Any:
    """The regression with the penalty that does best on a fifth of the documents."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    order = np.random.default_rng(0).permutation(len(truth))
    held, seen = order[: len(order) // 5], order[len(order) // 5 :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = {PENALTIES[1]: 0.0}
        if len(held) and len(np.unique(truth[seen])) > 1:
            models = {penalty: LogisticRegression(C=penalty, max_iter=300) for penalty in PENALTIES}
            scores = {c: m.fit(x[seen], truth[seen]).score(x[held], truth[held]) for c, m in models.items()}
        return LogisticRegression(C=max(scores, key=lambda c: scores[c]), max_iter=300).fit(x, truth)


def answer(fitted: dict[str, Any], texts: Sequence[str]) -> np.ndarray:
    """Probabilities `[documents, classes]`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    scores = np.tile(fitted["bias"], (len(texts), 1)).astype(float)
    if fitted["words"] and len(texts):
        vectoriser = TfidfVectorizer(**HOW, vocabulary=fitted["words"])
        vectoriser.idf_ = np.array(fitted["idf"])
        scores = scores + vectoriser.transform(texts) @ np.array(fitted["weights"]).T
    return probabilities(scores)
