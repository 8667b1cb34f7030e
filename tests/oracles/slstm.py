"""sLSTM in NumPy, one row and one step. Source: Beck et al. 2024 (arXiv 2405.04517), equations 8 to 13, sigmoid forget gate.

Unstabilised: c and n are taken out of the scale e^m and the equations without m computed; the scale that the paper's
equation 15 asks for comes back at the end.
"""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [{}, {"bias": False}, *inside.VARIANTS]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width), np.zeros(width), np.zeros(width), np.full(width, -1e30)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    h, c, n, m = state
    width = len(c)
    total = inside.seen(w, x) + inside.remembered(w, h)
    if "bias_ih" in w:
        total = total + w["bias_ih"] + w["bias_hh"]
    i, f, g, o = (total[k * width : (k + 1) * width] for k in range(4))
    forget = 1 / (1 + np.exp(-f))
    old_c, old_n = c * np.exp(m), n * np.exp(m)
    real_c = forget * old_c + np.exp(i) * np.tanh(g)
    real_n = forget * old_n + np.exp(i)
    h = inside.stay(real_c / real_n / (1 + np.exp(-o)), h, **options)
    old_m, m = m, np.maximum(np.log(forget) + m, i)
    if options.get("zoneout"):
        m = np.maximum(m, old_m)
    real_c, real_n = inside.stay(real_c, old_c, **options), inside.stay(real_n, old_n, **options)
    return h, [h, real_c / np.exp(m), real_n / np.exp(m), m]
