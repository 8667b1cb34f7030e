"""A learned blend of past seasons: what a good seasonal naive forecast would copy, with weights that the network chooses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.shapes import Bool, Float


class SeasonBlend(nn.Module):
    """A weighted mean of the values one, two, … `copies` seasons before each step of the horizon.

        copy_j(h) = x[t + h - season (⌈h / season⌉ + j)],      j = 0 … copies - 1
        blend(h)  = Σ_j softmax_j(a_hj + (W s_t)_bj) copy_j(h)

    a is learned per step of the horizon; W s_t, per block b of one season of the horizon, lets the state of the network choose.
    Copies that were not observed get no weight.
    """

    copy: Tensor
    block: Tensor

    def __init__(self, width: int, *, history: int, horizon: int, season: int, copies: int) -> None:
        super().__init__()
        ahead = torch.arange(1, horizon + 1)
        back = season * (-(-ahead[:, None] // season) + torch.arange(copies))  # steps from the copy to its step ahead
        self.register_buffer("copy", (history - 1 + ahead[:, None] - back).clamp_min(0), persistent=False)
        self.register_buffer("block", (ahead - 1) // season, persistent=False)
        self.blocks, self.copies = int(self.block[-1]) + 1, copies
        self.fixed = nn.Parameter(torch.zeros(horizon, copies))
        self.chosen = nn.Linear(width, self.blocks * copies)
        with torch.no_grad():
            self.chosen.weight.mul_(0.1)

    def forward(
        self,
        state: Float[Tensor, "batch width"],
        x: Float[Tensor, "batch time"],
        observed: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch horizon"]:
        score = self.fixed + self.chosen(state).view(-1, self.blocks, self.copies)[:, self.block]
        weights = score.masked_fill(~observed[:, self.copy], -1e4).softmax(-1)
        return (weights * x[:, self.copy]).sum(-1)
