"""Several forecasting networks as one: their forecasts are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saiki.network.forecaster import Outlook


class Ensemble(nn.Module):
    """The mean of networks that differ in their seed alone.

        x̂ = 1/N Σ_n x̂_n,    q_l = 1/N Σ_n q_l,n        in window units, which all members share

    The mean of quantiles that do not cross does not cross. The weights of member n are called `members.n.…`.

    Source: averaging quantiles (Vincent 1912; Ratcliff 1979); seeds as members follow Lakshminarayanan et al. 2017
    (arXiv 1612.01474), without adversarial training.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, batch: dict[str, Tensor], forks: int = 1) -> Outlook:
        """The mean of what the members say of a batch."""
        return mean([member(batch, forks) for member in self.members])

    def window(self, batch: dict[str, Tensor]) -> Tensor:
        """The values in units of their window, which are the same for all members."""
        return self.members[0].window(batch)  # type: ignore[operator]

    def attention(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean of the members' weights."""
        return torch.stack([member.attention(batch) for member in self.members]).mean(0)  # type: ignore[operator]


def mean(outlooks: Sequence[Outlook]) -> Outlook:
    """Points, quantiles and parameters averaged; the scale is of the window, so it is the same in all of them."""
    point = torch.stack([o.point for o in outlooks]).mean(0)
    quantiles = [o.quantiles for o in outlooks if o.quantiles is not None]
    shapes = [o.shape for o in outlooks if o.shape is not None]
    together = lambda parts: torch.stack(parts).mean(0) if parts else None  # noqa: E731
    return Outlook(point, together(quantiles), outlooks[0].scale, together(shapes), outlooks[0].distribution)
