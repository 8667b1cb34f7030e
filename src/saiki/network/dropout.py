"""Dropout whose masks cost little: torch draws a number for every place one by one, on one thread."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

#: values from which a mask of one's own is faster
WORTH = 1 << 14
#: a place is drawn by 16 bits
LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """As `nn.Dropout`: y = x m / (1 - p) while training, m zero with probability p, rounded to 1/65536.

    The masks of many values on a CPU come from a generator of their own (NumPy's SFC64), seeded by torch's: the same seed gives the
    same masks. All others are torch's.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not 0 < self.p < 1:
            return super().forward(input)
        if input.numel() < WORTH or not _plain(input):
            return super().forward(input)
        return input * mask(input, self.p)


def mask(like: Tensor, p: float) -> Tensor:
    """0 with probability p, else 1 / (1 - p), for every place of a tensor."""
    seed = int(torch.empty((), dtype=torch.int64).random_())
    bits = np.random.SFC64(seed).random_raw(math.ceil(like.numel() / 4)).view(np.uint16)[: like.numel()]
    kept = torch.from_numpy(bits >= round(p * LEVELS)).view(like.shape)
    return kept.to(like.dtype).mul_(1 / (1 - p))


def _plain(x: Tensor) -> bool:
    """Whether x is an ordinary tensor on a CPU, in no transformation of torch."""
    if type(x) is not Tensor or x.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not (torch.jit.is_tracing() or torch._C._are_functorch_transforms_active())  # pyright: ignore[reportPrivateImportUsage]
