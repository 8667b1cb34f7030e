"""Negative log-likelihood of counts in data units, of given mean and dispersion (needs --distribution negative_binomial)."""

from __future__ import annotations

import torch
from torch import Tensor

from saiki.objectives.base import Judged


def loss(judged: Judged) -> Tensor:
    """mean of log Γ(r) + log Γ(y + 1) - log Γ(y + r) - r log(r / (r + μ)) - y log(μ / (r + μ)), r = 1/α; variance μ + α μ².

    In double precision: log Γ(y + r) - log Γ(r) is a small difference of large numbers where α is small.
    """
    mean, y = judged.forecast.double().clamp_min(1e-9), judged.truth.double()
    r = 1 / judged.parameters()[..., 0].double()
    counted = torch.lgamma(r) + torch.lgamma(y + 1) - torch.lgamma(y + r)
    total = (r + mean).log()
    return judged.mean(counted - r * (r.log() - total) - y * (mean.log() - total)).to(judged.inner.dtype)
