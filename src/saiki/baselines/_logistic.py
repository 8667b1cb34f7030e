"""A logistic regression as plain numbers: its coefficients for every class, and the probabilities of its scores."""

from __future__ import annotations

from typing import Any

import numpy as np


def coefficients(model: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[classes, numbers]` and bias `[classes]` of scikit-learn's; a class that did not occur is never chosen."""
    weights, bias = np.zeros((classes, model.coef_.shape[1])), np.full(classes, -1e3)
    if len(model.classes_) == 2:
        weights[model.classes_[1]], bias[model.classes_] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return weights, bias


def certain(truth: np.ndarray, numbers: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The same where only one class occurred, which scikit-learn cannot learn: it is always chosen."""
    weights, bias = np.zeros((classes, numbers)), np.full(classes, -1e3)
    bias[truth] = 0.0
    return weights, bias


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of `[rows, classes]`, of no rows too."""
    scores = np.exp(scores - scores.max(1, keepdims=True, initial=-np.inf))
    return scores / scores.sum(1, keepdims=True)
