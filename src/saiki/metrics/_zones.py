"""What the error grids of glucose share: zones A (harmless) to E (dangerous) as codes 0 to 4, in mg/dL."""

from __future__ import annotations

import numpy as np

ZONES = "ABCDE"


def shares(zones: np.ndarray) -> np.ndarray:
    """The share of each zone, `[5]`, of codes that are -1 where truth or forecast is missing; NaN if all are."""
    known = zones[zones >= 0]
    return np.bincount(known, minlength=len(ZONES)) / len(known) if len(known) else np.full(len(ZONES), np.nan)


def known(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Where there is something to place."""
    return np.isfinite(truth) & np.isfinite(forecast)
