"""GRU-D in NumPy, one row and one step.

Source: Che et al. 2018 (arXiv 1606.01865), equations 2 and 9 to 17, `usual` for the mean.
"""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [{}, *inside.VARIANTS]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width), np.zeros(3), np.zeros(3)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    h, last, since = state
    old, width, m = h, len(h), options["observed"]
    delta = options["gap"] + since
    gamma_x = np.exp(-np.maximum(0, w["weight_decay_x"] * delta + w["bias_decay_x"]))
    gamma_h = np.exp(-np.maximum(0, w["weight_decay_h"] @ delta + w["bias_decay_h"]))
    x_hat = np.where(m == 1, x, gamma_x * last + (1 - gamma_x) * w["usual"])
    h = gamma_h * h
    seen = inside.seen(w, np.concatenate([x_hat, m])) + w["bias_ih"]
    past = inside.remembered(w, h, slice(2 * width))
    r = 1 / (1 + np.exp(-seen[:width] - past[:width]))
    z = 1 / (1 + np.exp(-seen[width : 2 * width] - past[width:]))
    new = np.tanh(seen[2 * width :] + inside.remembered(w, r * h, slice(2 * width, None)))
    h = inside.stay((1 - z) * h + z * new, old, options.get("zoneout", 0.0))
    return h, [h, np.where(m == 1, x, last), np.where(m == 1, 0, delta)]
