"""Long short-term memory in NumPy, one row and one step, gate by gate from the papers' equations.

Source: Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000, equations 2.1 to 2.6;
peepholes: Gers and Schmidhuber 2000; coupled gates: Greff et al. 2017, CIFG; recurrent
projection: Sak, Senior and Beaufays 2014 (arXiv 1402.1128), equations 1 to 7, r_t = W_rm m_t.
"""

from __future__ import annotations

import numpy as np
from tests.oracles import inside

VARIANTS = [
    {},
    {"bias": False},
    {"projection": 2},
    {"projection": 1, "bias": False},
    {"peephole": True},
    {"coupled": True},
    {"peephole": True, "coupled": True},
    {"peephole": True, "projection": 2},
    {"peephole": True, "coupled": True, "projection": 2, "layer_norm": True, "zoneout": 0.3},
    *inside.VARIANTS,
]


def initial(width: int, projection: int = 0, **options) -> list[np.ndarray]:
    return [np.zeros(projection or width), np.zeros(width)]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    h, c = old_h, old_c = state
    width = len(c)
    total, coupled = {}, options.get("coupled", False)
    names = ("forget", "candidate", "output") if coupled else ("input", "forget", "candidate", "output")
    input_part, past_part = inside.seen(w, x), inside.remembered(w, h)
    for place, name in enumerate(names):  # blocks of rows
        rows = slice(place * width, (place + 1) * width)
        total[name] = input_part[rows] + past_part[rows]
        if "bias_ih" in w:
            total[name] = total[name] + w["bias_ih"][rows] + w["bias_hh"][rows]
    seen = dict.fromkeys(names, 0.0)
    if "weight_c" in w:
        gates = [name for name in names if name != "candidate"]
        seen |= dict(zip(gates, np.split(w["weight_c"], len(gates)), strict=True))
    forget = _sigmoid(total["forget"] + seen["forget"] * c)
    take = 1 - forget if coupled else _sigmoid(total["input"] + seen["input"] * c)
    c = forget * c + take * np.tanh(total["candidate"])
    m = _sigmoid(total["output"] + seen["output"] * c) * np.tanh(
        inside.layer_norm(c, w["gain_c"]) + w["shift_c"] if "gain_c" in w else c
    )
    h = w["weight_hr"] @ m if "weight_hr" in w else m
    h, c = inside.stay(h, old_h, **options), inside.stay(c, old_c, **options)
    return h, [h, c]
