"""The one list of cases for equality, gradients and speed: awkward sizes first, then the plain ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """Sizes of one problem; without lengths every row is full."""

    batch: int
    time: int
    features: int
    width: int
    layers: int = 1
    bidirectional: bool = False
    lengths: tuple[int, ...] | None = None

    def lengths_tensor(self) -> Tensor | None:
        return None if self.lengths is None else torch.tensor(self.lengths, dtype=torch.int64)

    @property
    def steps(self) -> int:
        """Valid steps of all rows."""
        return self.batch * self.time if self.lengths is None else sum(self.lengths)


CASES = {
    "one-of-everything": Case(1, 1, 1, 1),
    "width-1": Case(4, 9, 3, 1),
    "feature-1": Case(3, 20, 1, 16),
    "batch-1": Case(1, 50, 64, 64),
    "time-63": Case(3, 63, 5, 7),
    "width-500": Case(2, 5, 20, 500),
    "width-17": Case(9, 4, 33, 17, layers=2),
    "both-directions": Case(3, 6, 4, 5, layers=3, bidirectional=True),
    "ragged": Case(5, 12, 4, 6, lengths=(7, 12, 1, 0, 12)),
    "ragged-two-layers-both-directions": Case(4, 9, 3, 8, layers=2, bidirectional=True, lengths=(0, 9, 2, 5)),
    "shorter-than-time": Case(3, 8, 2, 4, bidirectional=True, lengths=(3, 5, 1)),
    "only-empty-rows": Case(2, 4, 3, 5, bidirectional=True, lengths=(0, 0)),
    "one-step-each": Case(3, 5, 2, 3, lengths=(1, 1, 1)),
    "no-time": Case(2, 0, 3, 4, layers=2, bidirectional=True),
    "no-rows": Case(0, 5, 3, 4),
    "small-training": Case(32, 50, 8, 64, lengths=tuple(1 + (17 * row) % 50 for row in range(32))),
}
