"""sLSTM in NumPy, one row and one step. Source: Beck et al. 2024 (arXiv 2405.04517), equations 8 to 13, sigmoid forget gate.

Unstabilised: c and n are taken out of the scale e^m and the equations without m computed; the scale that the paper's
equation 15 asks for comes back at the end.
"""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"bias": False}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width), np.zeros(width), np.zeros(width), np.full(width, -1e4)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    h, c, n, m = state
    width = len(c)
    total = w["weight_ih"] @ x + w["weight_hh"] @ h
    if "bias_ih" in w:
        total = total + w["bias_ih"] + w["bias_hh"]
    i, f, g, o = (total[k * width : (k + 1) * width] for k in range(4))
    forget = 1 / (1 + np.exp(-f))
    real_c = forget * c * np.exp(m) + np.exp(i) * np.tanh(g)
    real_n = forget * n * np.exp(m) + np.exp(i)
    h = real_c / real_n / (1 + np.exp(-o))
    m = np.maximum(np.log(forget) + m, i)
    return h, [h, real_c / np.exp(m), real_n / np.exp(m), m]
