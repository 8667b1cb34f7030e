"""Ridge regression on lags inside a network: the linear forecast of a window, of which the point may have a share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.shapes import Bool, Float, Int


class LinearLags(nn.Module):
    """The forecast of the baseline `linear_lags` from the last steps before each end, in units of the window.

        level, spread   mean and root mean square of the last `lags` values about it
        linear(h) = x[t + h - season ⌈h / season⌉] + Σ_l (x_l - level) W_lh + spread W_0h

    It is the same in whatever units x has, so W is found once in closed form and then stays as it is. Values that were not
    observed count as the level; the season lies inside the window. W of zeros is the seasonal naive forecast. `share` is its part
    in the point of the network.
    """

    weight: Tensor
    share: Tensor
    back: Tensor

    def __init__(self, *, lags: int, horizon: int, season: int) -> None:
        super().__init__()
        self.lags = lags
        ahead = torch.arange(1, horizon + 1)
        self.register_buffer("weight", torch.zeros(lags + 1, horizon))
        self.register_buffer("share", torch.zeros(()))
        self.register_buffer("back", ahead - season * (-(-ahead // season)) - 1, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch time"], observed: Bool[Tensor, "batch time"], ends: Int[Tensor, "ends"]
    ) -> Float[Tensor, "batch ends horizon"]:
        """The linear forecast after each of the `ends`."""
        places = ends[:, None] - self.lags + torch.arange(self.lags, device=x.device)
        values, seen = x[:, places], observed[:, places]
        count = seen.sum(-1, keepdim=True).clamp_min(1)
        level = (values * seen).sum(-1, keepdim=True) / count
        rest = torch.where(seen, values - level, 0)
        spread = (rest.square().sum(-1, keepdim=True) / count).sqrt()
        naive = ends[:, None] + self.back
        last = torch.where(observed[:, naive], x[:, naive], level)
        return last + rest @ self.weight[:-1] + spread * self.weight[-1]
