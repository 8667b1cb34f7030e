"""Recurrent highway network in NumPy, one row and one step. Source: Zilly et al. 2016 (arXiv 1607.03474), equations 6 to 9."""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [{}, {"depth": 1}, {"depth": 3}, *inside.VARIANTS]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (s,) = old = state
    width = len(s)
    for layer, (r, b) in enumerate(zip(w["weight_hh"], w["bias_hh"], strict=True)):
        seen = inside.seen(w, x) if layer == 0 else np.zeros(2 * width)
        past = r @ s if "gain_hh" not in w else inside.layer_norm(r @ s, w["gain_hh"][layer])
        h = np.tanh(seen[:width] + past[:width] + b[:width])
        transform = 1 / (1 + np.exp(-(seen[width:] + past[width:] + b[width:])))
        carry = 1 - transform
        s = h * transform + s * carry
    s = inside.stay(s, old[0], **options)
    return s, [s]
