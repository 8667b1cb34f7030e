"""Logistic regression on summaries of each series (mean, spread, extremes, change, some values); penalty chosen in training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from saiki.baselines._logistic import certain, coefficients, probabilities
from saiki.baselines._summary import Standardised

TASKS = ("classify",)
#: inverse penalties that are tried, and folds to choose between them
PENALTIES, FOLDS = (0.003, 0.03, 0.3, 3.0), 3
#: spreads from the mean that a number counts for at most: what is far off says no more than that
LIMIT = 4.0
#: series that the penalty is chosen on, at most
MOST = 1000


def fit(x: np.ndarray, truth: np.ndarray, classes: int, balanced: bool = False) -> dict[str, Any]:
    """From summaries `[series, numbers]` and codes `[series]`: plain data. `balanced`: every class weighs alike."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    standard = Standardised.fit(x)
    z = standard(x, LIMIT)
    with warnings.catch_warnings(), threadpool_limits(1):  # many small products: threads would cost more than they save
        warnings.simplefilter("ignore", ConvergenceWarning)
        if len(np.unique(truth)) > 1:
            weigh = "balanced" if balanced else None
            model = LogisticRegression(C=_penalty(z, truth), max_iter=200, class_weight=weigh).fit(z, truth)
            weights, bias = coefficients(model, classes)
        else:
            weights, bias = certain(truth, z.shape[1], classes)
    parts = {"mean": standard.mean, "spread": standard.spread, "weights": weights, "bias": bias}
    return {name: part.tolist() for name, part in parts.items()}


def _penalty(z: np.ndarray, truth: np.ndarray) -> float:
    """The inverse penalty with the best log loss over folds; the middle one where a class is too rare for folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    some = np.random.default_rng(0).permutation(len(z))[:MOST]
    z, truth = z[some], truth[some]
    counts = np.bincount(truth)
    if counts[counts > 0].min() < FOLDS or len(np.unique(truth)) < 2:
        return PENALTIES[1]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    models = [LogisticRegression(C=penalty, max_iter=50) for penalty in PENALTIES]
    scores = [cross_val_score(m, z, truth, cv=folds, scoring="neg_log_loss").mean() for m in models]
    return PENALTIES[int(np.argmax(scores))]


def answer(fitted: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Probabilities `[series, classes]`."""
    z = Standardised(np.array(fitted["mean"]), np.array(fitted["spread"]))(x, LIMIT)
    return probabilities(z @ np.array(fitted["weights"]).T + np.array(fitted["bias"]))
