"""The loss of quantiles; it joins any objective when levels are asked for."""

from __future__ import annotations

import torch
from torch import Tensor


def pinball(quantiles: Tensor, truth: Tensor, levels: tuple[float, ...], weight: Tensor) -> Tensor:
    """mean of max(p (y - q), (p - 1) (y - q)) over observed steps and levels: `quantiles [batch, horizon, levels]`."""
    p = quantiles.new_tensor(levels)
    error = truth[..., None] - quantiles
    loss = torch.maximum(p * error, (p - 1) * error).mean(-1)
    return (loss * weight).sum() / weight.sum().clamp_min(1)
