"""Mean squared error in the window's units."""

from __future__ import annotations

from torch import Tensor

from saiki.objectives.base import Judged


def loss(judged: Judged) -> Tensor:
    """mean (x̂ - x)², where x is the value in units of its window (data units with `--scale none`)."""
    return judged.mean((judged.inner - judged.inner_truth).square())
