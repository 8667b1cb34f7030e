"""Negative log-likelihood of Student's t around the point, in the window's units (needs --distribution student_t)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from saiki.objectives.base import Judged


def loss(judged: Judged) -> Tensor:
    """mean of log σ + log B + ½ (ν + 1) log(1 + z² / ν) with z = (x - x̂) / σ and B = √(νπ) Γ(ν/2) / Γ((ν + 1)/2)."""
    sigma, freedom = judged.parameters().unbind(-1)
    z = (judged.inner_truth - judged.inner) / sigma
    constant = 0.5 * (freedom.log() + math.log(math.pi)) + torch.lgamma(freedom / 2) - torch.lgamma((freedom + 1) / 2)
    return judged.mean(sigma.log() + constant + 0.5 * (freedom + 1) * torch.log1p(z.square() / freedom))
