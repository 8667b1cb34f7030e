"""Distributions around a point forecast: how a network's numbers become their parameters, and their quantiles.

All are in the units of the window but the negative binomial, which counts in data units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.network.scaling import Scale

#: distribution -> parameters per step beside the point
PARAMETERS = {"gaussian": 1, "student_t": 2, "negative_binomial": 1}
#: smallest standard deviation, in units of the window; smallest dispersion; fewest degrees of freedom: the variance exists
SMALLEST, LEAST, FREEDOM = 1e-3, 1e-4, 2.01


def shape(law: str, raw: Tensor) -> Tensor:
    """Parameters from any numbers `[…, parameters]`: a scale, and degrees of freedom; of counts the dispersion α.

    softplus keeps them positive, and its slope never exceeds 1: no step of training multiplies them.
    """
    positive = nn.functional.softplus(raw)
    if law == "negative_binomial":
        return positive + LEAST
    if law == "student_t":
        return torch.stack([positive[..., 0] + SMALLEST, positive[..., 1] + FREEDOM], -1)
    return positive + SMALLEST


def counted(point: Tensor, scale: Scale) -> Tensor:
    """A point in window units whose value in data units is a positive mean: spread · softplus(value / spread)."""
    value = scale.outward(point.double())
    mean = scale.spread * nn.functional.softplus(value / scale.spread).clamp_min(1e-9)
    return scale.inward(mean).to(point.dtype)


def quantiles(law: str, point: Tensor, parameters: Tensor, scale: Scale, levels: tuple[float, ...]) -> Tensor:
    """Quantiles in window units: `[batch, horizon, levels]`, in double precision. Not for training: no gradient."""
    from scipy import special, stats

    at, shaped = point.detach().double(), parameters.detach().double()
    p = torch.tensor(levels, dtype=torch.float64)
    if law == "gaussian":
        return at[..., None] + shaped * torch.special.ndtri(p)
    if law == "student_t":
        t = torch.from_numpy(special.stdtrit(shaped[..., 1:].numpy(), p.numpy()))
        return at[..., None] + shaped[..., :1] * t
    r = 1 / shaped
    mean = scale.outward(at)[..., None]
    counts = torch.from_numpy(stats.nbinom.ppf(p.numpy(), r.numpy(), (r / (r + mean)).numpy()))
    return scale.inward(counts.flatten(1)).view_as(counts)


def deviation(law: str, point: Tensor, parameters: Tensor, scale: Scale) -> Tensor:
    """The standard deviation in window units: `[batch, horizon]`."""
    shaped = parameters.double()
    if law == "gaussian":
        return shaped[..., 0]
    if law == "student_t":
        return shaped[..., 0] * (shaped[..., 1] / (shaped[..., 1] - 2)).sqrt()
    mean = scale.outward(point.double())
    return (mean + shaped[..., 0] * mean.square()).sqrt() / scale.spread


def eighty(law: str, point: Tensor, parameters: Tensor, scale: Scale) -> tuple[Tensor, Tensor]:
    """Half of an 80 % interval below and above the point; of counts, whose quantiles are coarse, that of as wide a Gaussian."""
    if law == "negative_binomial":
        half = 1.2815515655446004 * deviation(law, point, parameters, scale)
        return half, half
    found = quantiles(law, point, parameters, scale, (0.1, 0.9))
    return point.double() - found[..., 0], found[..., 1] - point.double()
