"""Quasi-recurrent network in NumPy, one row and one step. Source: Bradbury et al. 2016 (arXiv 1611.01576), equations 1, 3 and 4."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"bias": False}, {"kernel": 1}, {"kernel": 4}, {"output_gate": False}]
FEATURES = 3


def initial(width: int, kernel: int = 2, **options) -> list[np.ndarray]:
    return [np.zeros(width), np.zeros((kernel - 1) * FEATURES)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    c, past = state
    width, kernel = len(c), options.get("kernel", 2)
    steps = [x, *past.reshape(kernel - 1, len(x))]  # now, one step ago, ...
    total = sum(w["weight_ih"][:, lag * len(x) : (lag + 1) * len(x)] @ value for lag, value in enumerate(steps))
    if "bias_ih" in w:
        total = total + w["bias_ih"]
    z, f = np.tanh(total[:width]), 1 / (1 + np.exp(-total[width : 2 * width]))
    c = f * c + (1 - f) * z
    h = c / (1 + np.exp(-total[2 * width :])) if options.get("output_gate", True) else c
    return h, [c, np.concatenate(steps[:-1]) if kernel > 1 else past]
