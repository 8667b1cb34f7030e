"""Independently recurrent network in NumPy, unit by unit. Source: Li et al. 2018 (arXiv 1803.04831), equation 2."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}, {"nonlinearity": "tanh"}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    squash = np.tanh if options.get("nonlinearity") == "tanh" else lambda total: max(total, 0.0)
    units = range(len(state[0]))
    h = np.array([squash(w["weight_ih"][k] @ x + w["weight_hh"][k] * state[0][k] + w["bias"][k]) for k in units])
    return h, [h]
