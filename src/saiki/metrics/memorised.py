"""Share of the groups of n units of a generated text that stand in the training text too, unit by unit."""

from __future__ import annotations

import numpy as np

#: numbers read at once of the training text
PART = 1 << 20


def score(generated: np.ndarray, training: np.ndarray, n: int) -> float:
    """0 to 1; NaN for a generated text of fewer than n units. Groups are compared by a hash of 64 bits."""
    wanted = _hashes(np.asarray(generated), n)
    if not len(wanted):
        return float("nan")
    found = np.zeros(len(wanted), bool)
    for start in range(0, max(1, len(training) - n + 1), PART):
        found |= np.isin(wanted, _hashes(np.asarray(training[start : start + PART + n - 1]), n))
    return float(found.mean())


def _hashes(units: np.ndarray, n: int) -> np.ndarray:
    """One number for every n units in a row."""
    count = len(units) - n + 1
    if count < 1:
        return np.empty(0, np.uint64)
    mixed = (units.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    total = np.zeros(count, np.uint64)
    for k in range(n):
        total = total * np.uint64(0xD6E8FEB86659FD93) + mixed[k : k + count]
    return total
