"""minLSTM in NumPy, one row and one step. Source: Feng et al. 2024 (arXiv 2410.01201), section 3.2."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (before,) = state
    forget, take, candidate = np.split(w["weight_ih"] @ x + w["bias_ih"], 3)
    f, i = 1 / (1 + np.exp(-forget)), 1 / (1 + np.exp(-take))
    h = f / (f + i) * before + i / (f + i) * candidate
    return h, [h]
