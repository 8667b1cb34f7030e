"""Relative and scaled absolute error together, each in units of the seasonal naive forecast's: a smooth stand-in for OWA."""

from __future__ import annotations

from torch import Tensor

from saiki.objectives.base import Judged


def loss(judged: Judged) -> Tensor:
    """½ (|log ŷ - log y| / relative_naive + |ŷ - y| / unit / scaled_naive); without logs the second half alone.

    |log ŷ - log y| stands for sMAPE / 2, which it equals for small errors; |ŷ - y| / unit is MASE. 1 is the seasonal naive
    forecast's own error, so the loss reads like an OWA.
    """
    relative, scaled = judged.naive
    absolute = judged.mean((judged.forecast - judged.truth).abs() / judged.unit) / scaled
    if not judged.log:
        return absolute
    logs = judged.mean((judged.inner - judged.inner_truth).abs() * judged.spread) / relative
    return 0.5 * (logs + absolute)
