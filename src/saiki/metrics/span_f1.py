"""Span F1: a span is right if its kind, its first and its last step are; 2 right / (answered + true), over all spans.

Source: the shared tasks of CoNLL (Tjong Kim Sang and De Meulder 2003); the micro average of seqeval.
"""

from __future__ import annotations

from collections.abc import Sequence

from saiki.metrics._spans import counts, f1

BETTER = "higher"


def score(truth: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> float:
    """From the labels of every sequence."""
    found = counts(truth, answers).values()
    return f1(*(sum(column) for column in zip(*found, strict=True))) if found else float("nan")
