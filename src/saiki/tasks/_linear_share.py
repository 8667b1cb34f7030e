"""How much of the linear forecast the answer takes: what held-out stretches of time say, and a half where they say little.

The two forecasts err in different ways, so their mean is the safest choice, and few windows are weak evidence against it: those
of one week tell about that week. How much worse a share was, in logarithms, weighs against how far it is from a half, the less the
more stretches of time were judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from saiki.data.panel import Panel
from saiki.data.windows import Windows
from saiki.metrics import mase
from saiki.network.forecaster import Forecaster
from saiki.training.members import members

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask

#: shares that are tried
SHARES = np.linspace(0, 1, 21)
#: what distance from a half costs: PRIOR (share - 1/2)² / stretches of a horizon each, as the logarithm of the error
PRIOR = 10.0


@torch.no_grad()
def settle(task: ForecastTask, network: nn.Module, panel: Panel, series: np.ndarray, ends: np.ndarray) -> None:
    """Give every network with a linear forecast the share of it that is `chosen` by mean scaled errors on these windows."""
    stretch = (panel.lengths[series] - ends) // task.plan.horizon
    windows = Windows(panel, history=task.plan.history, horizon=task.plan.horizon)
    cut = windows.cut(series, ends)
    batch, unit = task.tensors(cut), mase.scale(panel, task.season)[series, None]
    if not np.isfinite(unit).any():  # else a series without a scale is left out: its errors are in another unit
        unit = np.ones_like(unit)
    for member in members(network):
        if not isinstance(member, Forecaster) or member.linear is None:
            continue
        member.eval()
        errors = []
        for share in SHARES:
            member.linear.share.fill_(float(share))
            errors.append(np.abs(member(batch).points().double().numpy() - cut.target) / unit)
        member.linear.share.fill_(chosen(np.stack(errors), stretch))


def chosen(errors: np.ndarray, stretch: np.ndarray) -> float:
    """The share with the least log(mean error) + PRIOR (share - 1/2)² / n, n stretches being judged, each as heavy as any other.

    errors   of every one of `SHARES`, window and step ahead; NaN where no value is known
    stretch  number of the stretch of time that a window belongs to; windows of one overlap or see the same events
    """
    known = np.isfinite(errors).all(0)
    inside = [known & (stretch == place)[:, None] for place in np.unique(stretch)]
    means = [errors[:, some].mean(1) for some in inside if some.any()]
    if not means:
        return 0.5
    return float(SHARES[costs(np.mean(means, 0), len(means)).argmin()])


def costs(errors: np.ndarray, judged: int) -> np.ndarray:
    """log(mean error) + PRIOR (share - 1/2)² / judged, of every one of `SHARES`."""
    return np.log(np.maximum(errors, np.finfo(float).tiny)) + PRIOR * (SHARES - 0.5) ** 2 / judged


def copy(searched: nn.Module, network: nn.Module) -> None:
    """The shares of networks that were judged, for those that were trained once more on everything."""
    for old, new in zip(members(searched), members(network), strict=True):
        if (
            isinstance(old, Forecaster)
            and isinstance(new, Forecaster)
            and old.linear is not None
            and new.linear is not None
        ):
            new.linear.share.copy_(old.linear.share)
