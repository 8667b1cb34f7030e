"""SRU without state in its gates, in NumPy. Source: Lei and Zhang 2017 (arXiv 1709.02755, first version)."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    (before,) = state
    taken, forget, reset, skip = np.split(w["weight_ih"] @ x + w["bias_ih"], 4)
    f, r = 1 / (1 + np.exp(-forget)), 1 / (1 + np.exp(-reset))
    c = f * before + (1 - f) * taken
    return r * c + (1 - r) * skip, [c]
