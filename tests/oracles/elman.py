"""Elman network in NumPy, one row and one step, from the paper's equation.

Source: Elman, "Finding Structure in Time", Cognitive Science 14 (1990): h_t = f(W_x x_t + W_h h_{t-1} + b). There are
two biases here because there are two in the weights; only their sum matters.
"""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [{}, {"bias": False}, {"nonlinearity": "relu"}, *inside.VARIANTS]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (h,) = state
    total = inside.seen(w, x) + inside.remembered(w, h)
    if "bias_ih" in w:
        total = total + w["bias_ih"] + w["bias_hh"]
    new = np.maximum(total, 0) if options.get("nonlinearity") == "relu" else np.tanh(total)
    h = inside.stay(new, h, **options)
    return h, [h]
