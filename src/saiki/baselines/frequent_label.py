"""The most frequent label of each word in the training data; of an unknown word, and of series without words, of all steps."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from saiki.data.tagged import Tagged

TASKS = ("tag",)


def fit(data: Tagged, truth: np.ndarray, labels: int) -> dict[str, Any]:
    """From series and codes `[steps]`, -1 where unknown: plain data."""
    usual = int(np.bincount(truth[truth >= 0], minlength=labels).argmax())
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for word, label in zip(data.words or (), truth.tolist(), strict=False):
        if label >= 0:
            counts[word][label] += 1
    own = {word: min(found, key=lambda label: (-found[label], label)) for word, found in counts.items()}
    return {"usual": usual, "words": {word: label for word, label in own.items() if label != usual}}


def answer(fitted: dict[str, Any], data: Tagged) -> np.ndarray:
    """Codes `[steps]`."""
    if data.words is None:
        return np.full(int(data.lengths.sum()), fitted["usual"])
    return np.array([fitted["words"].get(word, fitted["usual"]) for word in data.words], np.int64)
