"""How much of the linear forecast the answer takes: what held-out windows say, and half where they say little.

The two forecasts err in different ways, so their mean is the safest choice, and few windows are weak evidence against it: those
of one week tell about that week. A share is as good as the best one where the difference of their errors, a mean over stretches
of a horizon each, is within its own standard error (the one-standard-error rule of Breiman et al. 1984, with paired differences).
"""

from __future__ import annotations

import math
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
SHARES = np.linspace(0, 1, 11)
#: errors up to this much above the least are as good, whatever the number of windows
AS_GOOD = 1.05


@torch.no_grad()
def settle(task: ForecastTask, network: nn.Module, panel: Panel, series: np.ndarray, ends: np.ndarray) -> None:
    """Give every network with a linear forecast a share of it: that nearest to a half whose mean scaled error on these windows
    is as good as the least."""
    stretch = (panel.lengths[series] - ends) // task.plan.horizon
    windows = Windows(panel, history=task.plan.history, horizon=task.plan.horizon)
    cut = windows.cut(series, ends)
    batch, unit = task.tensors(cut), mase.scale(panel, task.season)[series, None]
    unit = np.where(np.isfinite(unit), unit, 1.0)
    for member in members(network):
        if not isinstance(member, Forecaster) or member.linear is None:
            continue
        member.eval()
        errors = []
        for share in SHARES:
            member.linear.share.fill_(float(share))
            errors.append(np.abs(member(batch).points().double().numpy() - cut.target) / unit)
        member.linear.share.fill_(float(SHARES[chosen(np.stack(errors), stretch)]))


def chosen(errors: np.ndarray, stretch: np.ndarray) -> int:
    """Which of the `SHARES` to take.

    errors   of every share, window and step ahead; NaN where no value is known
    stretch  number of the stretch of time that a window belongs to; windows of one overlap or see the same events
    """
    known = np.isfinite(errors[0])
    if not known.any():
        return len(SHARES) // 2
    places, means = np.unique(stretch), []
    for place in places:
        inside = known & (stretch == place)[:, None]
        if inside.any():
            means.append(errors[:, inside].mean(1))
    away = np.stack(means, 1)  # shares, stretches
    total = away.mean(1)
    worse = away - away[total.argmin()]
    spread = worse.std(1, ddof=1) / math.sqrt(away.shape[1]) if away.shape[1] > 1 else np.full(len(SHARES), np.inf)
    good = np.flatnonzero(worse.mean(1) <= np.maximum(spread, (AS_GOOD - 1) * total.min()))
    return int(min(good, key=lambda share: abs(SHARES[share] - 0.5)))


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
