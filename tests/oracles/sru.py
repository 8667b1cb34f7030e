"""Simple recurrent unit in NumPy, one row and one step. Source: Lei et al. 2018 (arXiv 1709.02755 v5), equations 1 to 4.

The tests have 3 features and 4 units, so the highway is projected here (by the fourth block) and scaled in
tests/cells/test_sequential.py.
"""

from __future__ import annotations

import numpy as np

VARIANTS = [{}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width), np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    before = state[1]
    width = len(before)
    rows = [w["weight_ih"][k * width : (k + 1) * width] @ x for k in range(len(w["weight_ih"]) // width)]
    forget = 1 / (1 + np.exp(-(rows[1] + w["weight_hh"][:width] * before + w["bias"][:width])))
    reset = 1 / (1 + np.exp(-(rows[2] + w["weight_hh"][width:] * before + w["bias"][width:])))
    c = forget * before + (1 - forget) * rows[0]
    skip = rows[3] if len(rows) == 4 else np.sqrt(3) * x
    h = reset * c + (1 - reset) * skip
    return h, [h, c]
