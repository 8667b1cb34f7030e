"""The share of answers that are the truth, letter by letter; spaces at the ends and in a row do not count."""

from __future__ import annotations

from collections.abc import Sequence

BETTER = "higher"


def score(truth: Sequence[str], answers: Sequence[str]) -> float:
    """Of answers and as many truths."""
    pairs = list(zip(truth, answers, strict=True))
    return sum(one.split() == other.split() for one, other in pairs) / max(1, len(pairs))
