"""minGRU in NumPy, one row and one step. Source: Feng et al. 2024 (arXiv 2410.01201), section 3.1."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (before,) = state
    width = len(before)
    total = w["weight_ih"] @ x + w["bias_ih"]
    z = 1 / (1 + np.exp(-total[:width]))
    h = (1 - z) * before + z * total[width:]
    return h, [h]
