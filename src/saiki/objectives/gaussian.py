"""Negative log-likelihood of a Gaussian around the point, in the window's units (needs --distribution gaussian)."""

from __future__ import annotations

import math

from torch import Tensor

from saiki.objectives.base import Judged


def loss(judged: Judged) -> Tensor:
    """mean of log σ + ½ ((x - x̂) / σ)² + ½ log 2π."""
    sigma = judged.parameters()[..., 0]
    z = (judged.inner_truth - judged.inner) / sigma
    return judged.mean(sigma.log() + 0.5 * z.square() + 0.5 * math.log(2 * math.pi))
