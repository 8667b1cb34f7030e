"""Leaky echo state reservoir in NumPy. Source: Lukosevicius 2012, equations 2, 3 and 6."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"leak": 0.3, "nonlinearity": "identity"}, {"leak": 0.6, "fed_back": 2, "density": 1.0}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (h,) = state
    leak = options.get("leak", 1.0)
    update = w["weight_ih"] @ x + w["weight_hh"] @ h + w["bias"]
    if "weight_fb" in w:
        update = update + w["weight_fb"] @ options["feedback"]
    if options.get("nonlinearity", "tanh") == "tanh":
        update = np.tanh(update)
    h = (1 - leak) * h + leak * update
    return h, [h]
