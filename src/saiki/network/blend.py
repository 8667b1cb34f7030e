"""A learned blend of past seasons: what a good seasonal naive forecast would copy, with weights that the network chooses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.shapes import Bool, Float, Int


class SeasonBlend(nn.Module):
    """A weighted mean of the values one, two, … `copies` seasons before each step of the horizon.

        copy_j(h) = x[t + h - season (⌈h / season⌉ + j)],      j = 0 … copies - 1
        moved_j(h) = copy_j(h) - mean(copy_j) + mean(copy_0)    the same season at the level of the newest one
        blend(h)  = Σ_j softmax_j(a_hj + (W s_t)_bj) candidate_j(h)

    a is learned per step of the horizon; W s_t, per block b of one season of the horizon, lets the state of the network choose.
    Candidates are the copies and, where there is a season, the moved ones. Copies that were not observed get no weight.
    """

    back: Tensor
    block: Tensor

    def __init__(self, width: int, *, horizon: int, season: int, copies: int) -> None:
        super().__init__()
        ahead = torch.arange(1, horizon + 1)
        back = season * (-(-ahead[:, None] // season) + torch.arange(copies))  # steps from the copy to its step ahead
        self.register_buffer("back", ahead[:, None] - back - 1, persistent=False)  # from the end of the window
        self.register_buffer("block", (ahead - 1) // season, persistent=False)
        self.blocks, self.first = int(self.block[-1]) + 1, min(season, horizon)
        self.candidates = copies * (2 if season > 1 else 1)
        self.fixed = nn.Parameter(torch.zeros(horizon, self.candidates))
        self.chosen = nn.Linear(width, self.blocks * self.candidates)
        with torch.no_grad():
            self.chosen.weight.mul_(0.1)

    @torch.no_grad()
    def copy_evenly(self) -> None:
        """All candidates count alike, whatever the state: a blend that nothing is learned of."""
        self.chosen.weight.zero_()
        self.chosen.bias.zero_()

    def forward(
        self,
        state: Float[Tensor, "batch ends width"],
        x: Float[Tensor, "batch time"],
        observed: Bool[Tensor, "batch time"],
        ends: Int[Tensor, "ends"],
    ) -> Float[Tensor, "batch ends horizon"]:
        """The blend for each of the `ends`: steps of the window after which the horizon begins."""
        places = (ends[:, None, None] + self.back).clamp_min(0)  # [ends, horizon, copies]
        copies, known = x[:, places], observed[:, places]
        if self.candidates > copies.shape[-1]:
            level = _mean(copies[:, :, : self.first], known[:, :, : self.first])
            copies, known = torch.cat([copies, copies - level + level[..., :1]], -1), torch.cat([known, known], -1)
        score = self.fixed + self.chosen(state).view(*state.shape[:2], self.blocks, self.candidates)[:, :, self.block]
        weights = score.masked_fill(~known, -1e4).softmax(-1)
        return (weights * copies).sum(-1)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    """The mean over the steps of a season, of what is observed: `[batch, ends, 1, copies]`."""
    return (values * known).sum(2, keepdim=True) / known.sum(2, keepdim=True).clamp_min(1)
