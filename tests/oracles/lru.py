"""Linear recurrent unit in NumPy's complex numbers. Source: Orvieto et al. 2023 (arXiv 2303.06349), section 3."""

from __future__ import annotations

import numpy as np

VARIANTS = [{}]


def initial(width: int, **options) -> list[np.ndarray]:
    return [np.zeros(width), np.zeros(width)]


def step(w: dict[str, np.ndarray], x: np.ndarray, state: list[np.ndarray], **options) -> tuple[np.ndarray, list]:
    decay = np.exp(-np.exp(w["nu_log"]) + 1j * np.exp(w["theta_log"]))
    into = np.exp(w["gamma_log"]) * ((w["B_re"] + 1j * w["B_im"]) @ x)
    s = decay * (state[0] + 1j * state[1]) + into
    return ((w["C_re"] + 1j * w["C_im"]) @ s).real + w["D"] @ x, [s.real, s.imag]
