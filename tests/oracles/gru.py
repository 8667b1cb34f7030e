"""Gated recurrent unit in NumPy, one row and one step, gate by gate from the paper's equations.

Source: Cho et al. 2014 (arXiv 1406.1078), section 2.3, equations 5 to 8, with biases. The reset gate is applied
after the recurrent product, as cuDNN does, or before it (`reset="before"`), as in the
paper. In the paper z keeps the OLD state: h = z h + (1 - z) h~.
"""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [
    {},
    {"bias": False},
    {"reset": "before"},
    {"reset": "before", "bias": False},
    {"reset": "before", "layer_norm": True},
    *inside.VARIANTS,
]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (h,) = state
    width = len(h)
    before = options.get("reset") == "before"
    input_part, past_part = inside.seen(w, x), inside.remembered(w, h)
    if before:  # the candidate sees another past, so its rows are a product of their own
        past_part = np.append(inside.remembered(w, h, slice(2 * width)), np.zeros(width))
    if "bias_ih" in w:
        input_part, past_part = input_part + w["bias_ih"], past_part + w["bias_hh"]
    r = 1 / (1 + np.exp(-input_part[:width] - past_part[:width]))
    z = 1 / (1 + np.exp(-input_part[width : 2 * width] - past_part[width : 2 * width]))
    if before:
        candidate = np.tanh(
            input_part[2 * width :] + past_part[2 * width :] + inside.remembered(w, r * h, slice(2 * width, None))
        )
    else:
        candidate = np.tanh(input_part[2 * width :] + r * past_part[2 * width :])
    h = inside.stay(z * h + (1 - z) * candidate, h, **options)
    return h, [h]
