"""A learned blend of past seasons: what a good seasonal naive forecast would copy, with weights that the network chooses."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from saiki.shapes import Bool, Float, Int

#: a score that gives no weight
NEVER = -1e4
#: of exponential smoothing
RATES = (0.1, 0.25, 0.5, 0.9)


class SeasonBlend(nn.Module):
    """A weighted mean of what simple forecasts say: the values one, two, … `copies` seasons before each step, and smoothed levels.

        copy_j(h) = x[t + h - season (⌈h / season⌉ + j)],      j = 0 … copies - 1
        moved_j(h) = copy_j(h) - mean(copy_j) + mean(copy_0)    the same season at the level of the newest one
        smooth_αδ(h) = p(h) + Σ_i w_i (x[t - i] - p[t - i]) + δ h slope,   w_i ∝ (1 - α)^i
        blend(h)  = Σ_j softmax_j(a_hj + (W s_t)_bj) candidate_j(h)

    a is learned per step of the horizon; W s_t, per block b of one season of the horizon, lets the state of the network choose.
    Candidates are the copies, where there is a season the moved ones, and exponential smoothing of what is left of the last seasons
    without p, the mean season, at several rates α, with and without their slope (δ 1 or 0). Whole seasons make p and the slope, if
    there are any; i counts from the newest observed step. Copies that were not observed get no weight.
    """

    back: Tensor
    block: Tensor
    rates: Tensor
    ahead: Tensor

    def __init__(self, width: int, *, horizon: int, season: int, copies: int) -> None:
        super().__init__()
        ahead = torch.arange(1, horizon + 1)
        back = season * (-(-ahead[:, None] // season) + torch.arange(copies))  # steps from the copy to its step ahead
        self.register_buffer("back", ahead[:, None] - back - 1, persistent=False)  # from the end of the window
        self.register_buffer("block", (ahead - 1) // season, persistent=False)
        self.blocks, self.first = int(self.block[-1]) + 1, min(season, horizon)
        self.season, self.copies = season, copies
        copied = copies * (2 if season > 1 else 1)
        self.candidates = copied + 2 * len(RATES)
        self.register_buffer("rates", torch.tensor(RATES), persistent=False)
        self.register_buffer("ahead", ahead, persistent=False)
        self.fixed = nn.Parameter(torch.zeros(horizon, self.candidates))
        with torch.no_grad():  # half of the weight at first
            self.fixed[:, copied:] = math.log(copied / (2 * len(RATES)))
        self.chosen = nn.Linear(width, self.blocks * self.candidates)
        with torch.no_grad():
            self.chosen.weight.mul_(0.1)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *given: Any) -> None:
        """Weights from before there were smoothed levels, which then get no weight."""
        more, fixed = 2 * len(RATES), state_dict.get(f"{prefix}fixed")
        if fixed is not None and fixed.shape[1] == self.candidates - more:
            state_dict[f"{prefix}fixed"] = nn.functional.pad(fixed, (0, more), value=NEVER)
            for name in ("chosen.weight", "chosen.bias"):
                old = state_dict[prefix + name].unflatten(0, (self.blocks, fixed.shape[1]))
                new = torch.cat([old, old.new_zeros(self.blocks, more, *old.shape[2:])], 1)
                state_dict[prefix + name] = new.flatten(0, 1)
        super()._load_from_state_dict(state_dict, prefix, *given)

    @torch.no_grad()
    def copy_evenly(self) -> None:
        """Observed copies and moved ones count alike, whatever the state, and nothing else: nothing is learned of the blend."""
        self.chosen.weight.zero_()
        self.chosen.bias.zero_()
        self.fixed.zero_()[:, self.candidates - 2 * len(RATES) :] = NEVER

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
        if self.season > 1:
            level = _mean(copies[:, :, : self.first], known[:, :, : self.first])
            copies, known = torch.cat([copies, copies - level + level[..., :1]], -1), torch.cat([known, known], -1)
        smooth, sure = self._smooth(x, observed, ends)
        copies, known = torch.cat([copies, smooth], -1), torch.cat([known, sure], -1)
        score = self.fixed + self.chosen(state).view(*state.shape[:2], self.blocks, self.candidates)[:, :, self.block]
        weights = score.masked_fill(~known, NEVER).softmax(-1)
        return (weights * copies).sum(-1)

    def _smooth(
        self, x: Tensor, observed: Tensor, ends: Tensor
    ) -> tuple[Float[Tensor, "batch ends horizon smooth"], Bool[Tensor, "batch ends horizon smooth"]]:
        """The mean season upon a smoothed level, without and with the slope of the last seasons."""
        season, steps = self.season, self.copies * self.season
        places = ends[:, None] - steps + torch.arange(steps, device=x.device)
        known = observed[:, places.clamp_min(0)] & (places >= 0)
        values = torch.where(known, x[:, places.clamp_min(0)], 0)
        seasons, there = (of.unflatten(-1, (self.copies, season)) for of in (values, known.to(x.dtype)))
        count = there.sum(-1)  # [batch, ends, copies]
        level = seasons.sum(-1) / count.clamp_min(1)
        # a part of a season has a level of its own: only whole ones make the slope and the profile, if there are any
        whole = count == season
        count = torch.where(whole.any(-1, keepdim=True), count * whole, count)
        there = there * (count > 0)[..., None]
        # the slope of a line through the levels of the seasons, each as heavy as what it has observed
        time = torch.arange(self.copies, device=x.device, dtype=x.dtype)
        total = count.sum(-1, keepdim=True).clamp_min(1)
        late = time - (count * time).sum(-1, keepdim=True) / total
        high = level - (count * level).sum(-1, keepdim=True) / total
        slope = (count * late * high).sum(-1) / (count * late**2).sum(-1).clamp_min(1e-6) / season
        slope = slope * (whole.sum(-1) > 1)
        line = slope[..., None] * (torch.arange(season, device=x.device) - (season - 1) / 2)
        away = (seasons - level[..., None] - line[..., None, :]) * there
        profile = away.sum(-2) / there.sum(-2).clamp_min(1)  # [batch, ends, season]
        rest = (values - profile.repeat(1, 1, self.copies)) * known
        number = torch.arange(steps, device=x.device)
        newest = steps - 1 if known[..., -1].all() else (known * number).amax(-1, keepdim=True)
        ago = (newest - number).clamp_min(0)  # [steps] or [batch, ends, steps]
        weight = (1 - self.rates.view(-1, *[1] * ago.dim())) ** ago
        weight = (weight if weight.dim() == 4 else weight[:, None, None]) * known
        smooth = (weight * rest).sum(-1) / weight.sum(-1).clamp_min(1e-6)  # [rates, batch, ends]
        flat = smooth.permute(1, 2, 0)[:, :, None] + profile[:, :, (self.ahead - 1) % season, None]
        risen = flat + slope[..., None, None] * self.ahead[:, None]
        found = torch.cat([flat, risen], -1)
        return found, known.any(-1)[..., None, None].expand_as(found)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    """The mean over the steps of a season, of what is observed: `[batch, ends, 1, copies]`."""
    return (values * known).sum(2, keepdim=True) / known.sum(2, keepdim=True).clamp_min(1)
