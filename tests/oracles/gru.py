"""Gated recurrent unit in NumPy, one row and one step, gate by gate from the paper's equations.

Source: Cho et al. 2014 (arXiv 1406.1078), section 2.3, equations 5 to 8, with biases. The reset gate is applied
after the recurrent product, as cuDNN does, or before it (`reset="before"`), as in the
paper. In the paper z keeps the OLD state: h = z h + (1 - z) h~.
"""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"bias": False}, {"reset": "before"}, {"reset": "before", "bias": False}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (h,) = state
    width = len(h)
    gates = {}
    for place, name in enumerate(("reset", "update", "new")):  # blocks of rows
        rows = slice(place * width, (place + 1) * width)
        bias = (w["bias_ih"][rows], w["bias_hh"][rows]) if "bias_ih" in w else (0.0, 0.0)
        gates[name] = (w["weight_ih"][rows] @ x + bias[0], w["weight_hh"][rows] @ h + bias[1])
    r = 1 / (1 + np.exp(-sum(gates["reset"])))
    z = 1 / (1 + np.exp(-sum(gates["update"])))
    candidate = np.tanh(gates["new"][0] + r * gates["new"][1])
    if options.get("reset") == "before":
        rows = slice(2 * width, 3 * width)
        bias = w["bias_hh"][rows] if "bias_hh" in w else 0.0
        candidate = np.tanh(gates["new"][0] + w["weight_hh"][rows] @ (r * h) + bias)
    h = z * h + (1 - z) * candidate
    return h, [h]
