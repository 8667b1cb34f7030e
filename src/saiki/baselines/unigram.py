"""Every unit by how often it occurs in the training text, whatever stands before it."""

from __future__ import annotations

import numpy as np

TASKS = ("generate",)


def surprise(training: np.ndarray, text: np.ndarray, units: int) -> np.ndarray:
    """-log p of every unit of a text, in nats: `[text]`; each count is one more, so that nothing is impossible."""
    counts = np.bincount(training, minlength=units) + 1.0
    return -np.log(counts / counts.sum())[text]
