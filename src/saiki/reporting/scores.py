"""Scores of a model beside those of its baselines, as a table of text."""

from __future__ import annotations

import math
from collections.abc import Mapping

from saiki.metrics import label

__all__ = ["label", "number", "rows"]

Scores = Mapping[str, Mapping[str, float]]


def rows(scores: Scores) -> list[list[str]]:
    """A table as text: a header, then the model, then each baseline. What cannot be computed is a dash."""
    metrics = list(dict.fromkeys(metric for of in scores.values() for metric in of))
    body = [[name, *(number(of.get(metric)) for metric in metrics)] for name, of in scores.items()]
    return [["", *map(label, metrics)], *body]


def number(value: float | None) -> str:
    """Four digits; a dash for what could not be computed."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"
