"""Mean cross-entropy of units from the states that score them, without the scores of all steps at once."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from saiki.shapes import Float, Int

#: scores that are computed at once, which a cache holds, but never fewer rows than a product of matrices is fast with
AT_ONCE, ROWS = 2**20, 256


def mean_surprise(
    h: Float[Tensor, "steps width"],
    weight: Float[Tensor, "units width"],
    bias: Float[Tensor, "units"],
    following: Int[Tensor, "steps"],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The mean of -Σ_u q(u) log softmax(W h + b)_u, q: 1 - smoothing at what follows, and smoothing spread over all units.

    As torch.nn.functional.cross_entropy of linear scores. Where gradients are asked for, those of h, W and b are found block
    by block of steps while the scores of the block are at hand: neither scores nor their gradient are ever kept whole. Gradients of
    gradients are an error.
    """
    if h.device.type != "cpu" or torch.is_autocast_enabled("cpu") or not torch.is_grad_enabled():
        scores = nn.functional.linear(h, weight, bias)
        return nn.functional.cross_entropy(scores, following, label_smoothing=smoothing)
    return _MeanSurprise.apply(h, weight, bias, following, smoothing)  # pyright: ignore[reportReturnType]


def sampled(
    weight: Float[Tensor, "units width"],
    bias: Float[Tensor, "units"],
    following: Int[Tensor, "steps"],
    frequent: int,
    drawn: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights and biases of fewer units, whose softmax is nearly that of all, and where the units that follow are among them.

    The first `frequent` units are there, those that follow, and `drawn` of the others, which stand for all of the others:

        Σ_u exp(s_u) ≈ Σ_{first, following} exp(s_u) + Σ_{drawn} exp(s_u + log(others / drawn))

    The right side is right in the mean over what is drawn: evenly, without replacement, from torch's generator. All are there
    where that is no fewer.

    Source: the sampled softmax of Jean et al. 2015 (arXiv 1412.2007), equations 8 and 10, one draw for a whole batch; there what
    is drawn stands for the frequent units too.
    """
    inside = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
    inside[:frequent] = True
    inside[following] = True
    others = (~inside).nonzero().squeeze(1)
    if len(others) <= drawn:
        return weight, bias, following
    few = others[torch.randperm(len(others), device=weight.device)[:drawn]]
    inside[few] = True
    more = bias.new_zeros(len(bias)).index_fill_(0, few, math.log(len(others) / drawn))
    kept, place = inside.nonzero().squeeze(1), inside.cumsum(0) - 1
    return weight.index_select(0, kept), (bias + more).index_select(0, kept), place[following]


class _MeanSurprise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, following: Tensor, smoothing: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradients = torch.empty_like(h), torch.zeros_like(weight), torch.zeros_like(bias)
        total, rows = h.new_zeros(()), max(ROWS, AT_ONCE // len(weight))
        for x, units, into in zip(h.split(rows), following.split(rows), gradients[0].split(rows), strict=True):
            total += _block(x, weight, bias, units, smoothing, (into, *gradients[1:]))
        ctx.save_for_backward(*gradients)
        ctx.steps = len(h)
        return total / len(h)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple:  # pyright: ignore[reportIncompatibleMethodOverride]
        scale = gradient / ctx.steps
        return *(part * scale for part in ctx.saved_tensors), None, None


def _block(
    x: Tensor, weight: Tensor, bias: Tensor, units: Tensor, smoothing: float, gradients: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """The sum of surprises of some steps; their gradients are put into the first of `gradients`, added to the others."""
    scores = torch.addmm(bias, x, weight.T)
    p = scores.softmax(1)
    whole = scores.amax(1) - p.amax(1).log()  # log Σ exp(scores)
    expected = (1 - smoothing) * scores.gather(1, units[:, None]).squeeze(1)
    if smoothing:
        expected += smoothing * scores.mean(1)
        p -= smoothing / len(weight)
    p.scatter_add_(1, units[:, None], p.new_full((len(p), 1), smoothing - 1))
    torch.mm(p, weight, out=gradients[0])
    gradients[1].addmm_(p.T, x)
    gradients[2].add_(p.sum(0))
    return (whole - expected).sum()
