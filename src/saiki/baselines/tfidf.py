"""Bag of words: TF-IDF of words and pairs of words, and a logistic regression on it (scikit-learn).

Of texts that are read by characters (names, scripts without spaces): runs of up to 4 characters, at most within a word.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from saiki.baselines._logistic import certain, coefficients, probabilities
from saiki.modalities._signs import COMBINING

#: the documents that the task classify reads from a column of text
TASKS = ("documents",)
#: inverse penalties that are tried on a fifth that is held out
PENALTIES = (1.0, 4.0, 16.0)
#: words and pairs kept at most, the most frequent
MOST = 40_000
#: what is counted
WORDS: dict[str, Any] = {"ngram_range": (1, 2), "token_pattern": rf"[\w{COMBINING}]+|[^\w\s{COMBINING}]"}
CHARACTERS: dict[str, Any] = {"ngram_range": (1, 4), "analyzer": "char_wb"}


def fit(
    texts: Sequence[str], truth: np.ndarray, classes: int, characters: bool = False, balanced: bool = False
) -> dict[str, Any]:
    """From documents and codes `[documents]`: plain data. `balanced`: every class weighs alike, not every document."""
    found, x = counted(texts, characters)
    if x is None:
        share = np.bincount(truth, minlength=classes) / len(truth)
        return found | {"weights": [[]] * classes, "bias": np.log(np.maximum(share, 1e-9)).tolist()}
    if len(np.unique(truth)) > 1:
        weights, bias = coefficients(_regression(x, truth, balanced), classes)
    else:
        weights, bias = certain(truth, x.shape[1], classes)
    return found | {"weights": np.round(weights, 6).tolist(), "bias": np.round(bias, 6).tolist()}


def counted(texts: Sequence[str], characters: bool) -> tuple[dict[str, Any], Any]:
    """The words that are known and how rare each is, as plain data, and the documents in them; None of no words at all."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(**_how(characters), max_features=MOST)
    try:
        x = vectoriser.fit_transform(texts)
    except ValueError:  # no words at all
        return {"characters": characters, "words": [], "idf": []}, None
    words, idf = vectoriser.get_feature_names_out().tolist(), np.round(vectoriser.idf_, 6).tolist()
    return {"characters": characters, "words": words, "idf": idf}, x


def _how(characters: bool) -> dict[str, Any]:
    return (CHARACTERS if characters else WORDS) | {"sublinear_tf": True}


def _regression(x: Any, truth: np.ndarray, balanced: bool) -> Any:
    """The regression with the penalty that does best on a fifth of the documents."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    how: dict[str, Any] = {"max_iter": 300, "class_weight": "balanced" if balanced else None}
    order = np.random.default_rng(0).permutation(len(truth))
    held, seen = order[: len(order) // 5], order[len(order) // 5 :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # of many classes: `fit` of the labels says what is to be said
        scores = {PENALTIES[1]: 0.0}
        if len(held) and len(np.unique(truth[seen])) > 1:
            models = {penalty: LogisticRegression(C=penalty, **how) for penalty in PENALTIES}
            scores = {c: m.fit(x[seen], truth[seen]).score(x[held], truth[held]) for c, m in models.items()}
        return LogisticRegression(C=max(scores, key=lambda c: scores[c]), **how).fit(x, truth)


def reader(fitted: dict[str, Any]) -> Callable[[Sequence[str]], np.ndarray]:
    """What gives the scores of documents, `[documents, outputs]`: the linear map of their words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    bias, weights = np.array(fitted["bias"], float), np.array(fitted["weights"], float).T
    if not fitted["words"]:
        return lambda texts: np.tile(bias, (len(texts), 1))
    vectoriser = TfidfVectorizer(**_how(fitted.get("characters", False)), vocabulary=fitted["words"])
    vectoriser.idf_ = np.array(fitted["idf"])
    return lambda texts: bias + (vectoriser.transform(texts) @ weights if len(texts) else np.zeros((0, len(bias))))


def answer(fitted: dict[str, Any], texts: Sequence[str]) -> np.ndarray:
    """Probabilities `[documents, classes]`."""
    return probabilities(reader(fitted)(texts))
