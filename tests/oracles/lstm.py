"""Long short-term memory in NumPy, one row and one step, gate by gate from the papers' equations.

Source: Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000, equations 2.1 to 2.6, without
peepholes; recurrent projection: Sak, Senior and Beaufays 2014 (arXiv 1402.1128), equations 1 to 7, r_t = W_rm m_t.
"""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"bias": False}, {"projection": 2}, {"projection": 1, "bias": False}]


def initial(width: int, projection: int = 0, **options) -> list[np.ndarray]:
    return [np.zeros(projection or width), np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    h, c = state
    width = len(c)
    total = {}
    for place, name in enumerate(("input", "forget", "candidate", "output")):  # blocks of rows
        rows = slice(place * width, (place + 1) * width)
        total[name] = w["weight_ih"][rows] @ x + w["weight_hh"][rows] @ h
        if "bias_ih" in w:
            total[name] = total[name] + w["bias_ih"][rows] + w["bias_hh"][rows]
    opened = {name: 1 / (1 + np.exp(-total[name])) for name in ("input", "forget", "output")}
    c = opened["forget"] * c + opened["input"] * np.tanh(total["candidate"])
    m = opened["output"] * np.tanh(c)
    h = w["weight_hr"] @ m if "weight_hr" in w else m
    return h, [h, c]
