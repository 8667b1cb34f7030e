"""Recurrent highway network in NumPy, one row and one step. Source: Zilly et al. 2016 (arXiv 1607.03474), equations 6 to 9."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"depth": 1}, {"depth": 3}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (s,) = state
    width = len(s)
    for layer, (r, b) in enumerate(zip(w["weight_hh"], w["bias_hh"], strict=True)):
        seen = w["weight_ih"] @ x if layer == 0 else np.zeros(2 * width)
        h = np.tanh(seen[:width] + r[:width] @ s + b[:width])
        transform = 1 / (1 + np.exp(-(seen[width:] + r[width:] @ s + b[width:])))
        carry = 1 - transform
        s = h * transform + s * carry
    return s, [s]
