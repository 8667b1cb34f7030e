"""Ridge regression on summaries of each series (mean, spread, extremes, change, some values); penalty chosen in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from saiki.baselines._summary import Standardised

TASKS = ("regress",)
PENALTIES = tuple(10.0**k for k in range(-2, 5))


def fit(x: np.ndarray, truth: np.ndarray, classes: int = 0) -> dict[str, Any]:
    """From summaries `[series, numbers]` and numbers `[series]`: plain data. The penalty is that of the least error left out."""
    from sklearn.linear_model import RidgeCV

    standard = Standardised.fit(x)
    model = RidgeCV(alphas=PENALTIES).fit(standard(x), truth)
    parts = {"mean": standard.mean, "spread": standard.spread, "weights": model.coef_}
    return {name: part.tolist() for name, part in parts.items()} | {"bias": float(model.intercept_)}


def answer(fitted: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Numbers `[series]`."""
    z = Standardised(np.array(fitted["mean"]), np.array(fitted["spread"]))(x)
    return z @ np.array(fitted["weights"]) + fitted["bias"]
