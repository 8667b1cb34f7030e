"""Closed-form continuous-time cell in NumPy, one row and one step. Source: Hasani et al. 2022 (arXiv 2106.13898), equation 4."""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [{}, *inside.VARIANTS]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (h,) = state
    u = 1.7159 * np.tanh((inside.seen(w, x) + w["bias_ih"] + inside.remembered(w, h)) * 2 / 3)
    a, b, p, q = np.split(w["weight_u"] @ u + w["bias_u"], 4)
    interval = 1 / (1 + np.exp(-(p * options["gap"] + q)))
    new = np.tanh(a) * (1 - interval) + interval * np.tanh(b)
    h = inside.stay(new, h, options.get("zoneout", 0.0))
    return h, [h]
