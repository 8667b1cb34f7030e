"""Every unit by how often it occurs in the training text, whatever stands before it."""

from __future__ import annotations

import numpy as np

TASKS = ("generate",)


def surprise(counts: np.ndarray, text: np.ndarray) -> np.ndarray:
    """-log p of every unit of a text, in nats: `[text]`; each count is one more, so that nothing is impossible."""
    counts = np.asarray(counts) + 1.0
    return -np.log(counts / counts.sum())[text]
