"""Every window in its own units: its level and spread are taken out on the way in and put back on the way out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from saiki.shapes import Bool, Float

#: normalised values beyond this are outliers of the window; they are clipped, in units of its spread
LIMIT = 10.0
#: with logarithms, values of 0 and below stand at this share of the window's least positive value
FLOOR = 0.1
#: smallest spread of a window, unless data are steadier than that: in log units, and relative to the level otherwise
SMALLEST = 1e-3


class Scale(NamedTuple):
    """The level and spread of each window: `x = (f(y) - center) / spread` with f = log where there is a floor, which stands
    for values of 0 and below; else the identity."""

    center: Float[Tensor, "batch 1"]
    spread: Float[Tensor, "batch 1"]
    floor: Float[Tensor, "batch 1"] | None = None

    @property
    def log(self) -> bool:
        """Whether values are taken as logarithms."""
        return self.floor is not None

    def repeat(self, times: int) -> Scale:
        """Every row `times` times in a row."""
        if times == 1:
            return self
        floor = None if self.floor is None else self.floor.repeat_interleave(times, 0)
        return Scale(self.center.repeat_interleave(times, 0), self.spread.repeat_interleave(times, 0), floor)

    def inward(self, y: Tensor) -> Tensor:
        """Data units to normalised units."""
        return ((y if self.floor is None else _log(y, self.floor)) - self.center) / self.spread

    def outward(self, x: Tensor) -> Tensor:
        """Normalised units to data units; with logs, at most e^5 times the window's level."""
        value = x * self.spread + self.center
        return torch.minimum(value, self.center + 5).exp() if self.log else value


def _log(y: Tensor, floor: Tensor) -> Tensor:
    return torch.where(y <= 0, floor, y).log()  # NaN stays NaN


def no_scale(y: Float[Tensor, "batch time"]) -> Scale:
    """Data units as they are."""
    return Scale(y.new_zeros(len(y), 1), y.new_ones(len(y), 1))


def level_scale(y: Float[Tensor, "batch time"], observed: Bool[Tensor, "batch time"], last: bool, unit: float) -> Scale:
    """The level of each window, its mean or its last observed value, and one spread for all: `unit`."""
    if last:
        place = (observed * torch.arange(1, y.shape[1] + 1, device=y.device)).argmax(1, keepdim=True)
        center = torch.where(observed, y, 0).gather(1, place)
    else:
        center = torch.where(observed, y, 0).sum(1, keepdim=True) / observed.sum(1, keepdim=True).clamp_min(1)
    return Scale(center, torch.full_like(center, unit))


def window_scale(
    y: Float[Tensor, "batch time"],
    observed: Bool[Tensor, "batch time"],
    log: bool,
    lowest: float = 1e-6,
    relative: float = SMALLEST,
) -> Scale:
    """Level and spread of what is observed in each window; a window without observations has level 0 (log: 1), spread 1.

    Level: the mean (with `log`, the log of the mean). Spread: the root mean square of f(y) - level, at least
    `relative` (in log units, without logs times the level) and without logs at least `lowest`.
    """
    count = observed.sum(1, keepdim=True)
    known = torch.where(observed, y, 0)
    mean = known.sum(1, keepdim=True) / count.clamp_min(1)
    floor = None
    if log:
        tiny = torch.finfo(y.dtype).tiny
        least = torch.where(observed & (y > 0), y, torch.inf).amin(1, keepdim=True)
        floor = torch.where(least.isfinite(), FLOOR * least, tiny).clamp_min(tiny)
        center = torch.where(count > 0, _log(mean, floor), 0)
        deviation = torch.where(observed, _log(y, floor) - center, 0)
        smallest = torch.full_like(center, relative)
    else:
        center = mean
        deviation = torch.where(observed, y - center, 0)
        smallest = (relative * center.abs()).clamp_min(lowest)
    spread = (deviation.square().sum(1, keepdim=True) / count.clamp_min(1)).sqrt()
    return Scale(center, torch.where(count > 0, torch.maximum(spread, smallest), 1), floor)


def normalise(y: Tensor, observed: Tensor, scale: Scale, clip: bool = True) -> Tensor:
    """Normalised window, clipped where its spread is its own, 0 where nothing is observed."""
    inward = scale.inward(torch.where(observed, y, 1))
    return torch.where(observed, inward.clamp(-LIMIT, LIMIT) if clip else inward, 0)
