"""What acts inside a step, in NumPy.

Source: layer norm: Ba et al. 2016, equations 15 and 20; zoneout at evaluation: Krueger et al. 2017.
"""

from __future__ import annotations

import numpy as np

#: combinations that every cell with a recurrent matrix is tried with
VARIANTS = [{"layer_norm": True}, {"zoneout": 0.25}, {"layer_norm": True, "zoneout": 0.1}]


def layer_norm(a: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """(a - μ) / σ ∘ gain; σ² is the mean square deviation, with 1e-5 added."""
    away = a - a.sum() / len(a)
    return away / np.sqrt((away * away).sum() / len(a) + 1e-5) * gain


def seen(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """What the input gives to all gates, without bias."""
    total = w["weight_ih"] @ x
    return layer_norm(total, w["gain_ih"]) if "gain_ih" in w else total


def remembered(w: dict[str, np.ndarray], h: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
    """What the past gives to the gates of these rows, without bias."""
    total = w["weight_hh"][rows] @ h
    return layer_norm(total, w["gain_hh"][rows]) if "gain_hh" in w else total


def stay(new: np.ndarray, old: np.ndarray, zoneout: float = 0.0, **options) -> np.ndarray:
    """The mean of a state that is kept with probability `zoneout`."""
    return zoneout * old + (1 - zoneout) * new
