"""Tables that stand beside the scores of classes: precision and recall of each, and which is taken for which."""

from __future__ import annotations

import numpy as np

from saiki.metrics._spans import f1
from saiki.tasks._evaluation import Table

#: classes that a confusion matrix shows
MOST_SHOWN = 20
HEADER = ["precision", "recall", "F1", "count"]


def counted(name: str, right: int, answered: int, true: int) -> list[str]:
    """A row: how many answers are right, how much of the truth is found, and how much there is."""
    precision, recall = right / max(answered, 1), right / max(true, 1)
    return [name, f"{precision:.3f}", f"{recall:.3f}", f"{f1(right, answered, true):.3f}", f"{true:,}"]


def per_class(names: list[str], truth: np.ndarray, codes: np.ndarray, word: str = "label") -> Table:
    """Of every class that occurs or is answered, from codes `[rows]`."""
    found = _confusion(names, truth, codes)
    rows = [
        counted(name, int(found[k, k]), int(found[:, k].sum()), int(found[k].sum()))
        for k, name in enumerate(names)
        if found[k].sum() + found[:, k].sum()
    ]
    return Table(
        "Scores by class", [word, *HEADER], rows, "How many answers are right, and how much of the truth is found."
    )


def as_numbers(table: Table) -> dict[str, dict[str, float]]:
    """The same for programs."""
    keys = ("precision", "recall", "f1", "count")
    return {row[0]: dict(zip(keys, (float(v.replace(",", "")) for v in row[1:]), strict=True)) for row in table.rows}


def confusions(names: list[str], truth: np.ndarray, codes: np.ndarray) -> list[Table]:
    """The confusion matrix, unless there are too many classes to show."""
    if len(names) > MOST_SHOWN:
        return []
    found = _confusion(names, truth, codes)
    shares = found / np.maximum(found.sum(1, keepdims=True), 1)
    rows = [[name, *(f"{n:,}" if n else "" for n in row)] for name, row in zip(names, found.tolist(), strict=True)]
    note = "A row per true class, a column per answer; shaded by the share of the row."
    return [Table("Confusion", ["", *names], rows, note, [[0.0, *row] for row in shares.tolist()])]


def _confusion(names: list[str], truth: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Counts `[true class, answered class]`."""
    size = len(names)
    return np.bincount(truth * size + codes, minlength=size**2).reshape(size, size)
