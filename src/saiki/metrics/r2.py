"""R²: the share of the variance of the truth that is explained; 0 for always answering its mean, negative for worse."""

from __future__ import annotations

import numpy as np

BETTER = "higher"


def score(truth: np.ndarray, answer: np.ndarray) -> float:
    """From numbers `[rows]`; NaN for a truth without variance."""
    spread = ((truth - truth.mean()) ** 2).sum()
    return float(1 - ((truth - answer) ** 2).sum() / spread) if spread > 0 else float("nan")
