"""Means that leave out what is missing."""

from __future__ import annotations

import numpy as np


def over_steps(errors: np.ndarray) -> np.ndarray:
    """The mean of each series over the steps whose truth is known: `[series]`, NaN where none is."""
    seen = ~np.isnan(errors)
    return np.where(seen, errors, 0.0).sum(1) / np.where(seen.any(1), seen.sum(1), np.nan)


def over_series(scores: np.ndarray) -> float:
    """The mean over the series that have a score; NaN if none has."""
    seen = ~np.isnan(scores)
    return float(scores[seen].mean()) if seen.any() else float("nan")
