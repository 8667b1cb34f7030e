"""How much of the linear forecast the answer takes: what held-out windows say, and half where they say little."""

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
SHARES = np.linspace(0, 1, 11)
#: errors up to this much above the least are as good: a few windows tell no more, and of two forecasts the mean is safest
AS_GOOD = 1.05


@torch.no_grad()
def settle(task: ForecastTask, network: nn.Module, panel: Panel, series: np.ndarray, ends: np.ndarray) -> None:
    """Give every network with a linear forecast a share of it: that nearest to a half whose mean scaled error on these windows
    is as good as the least."""
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
            away = np.abs(member(batch).points().double().numpy() - cut.target) / unit
            known = np.isfinite(away)
            errors.append(away[known].mean() if known.any() else 0.0)
        good = np.flatnonzero(np.array(errors) <= AS_GOOD * min(errors))
        member.linear.share.fill_(float(min(SHARES[good], key=lambda share: abs(share - 0.5))))


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
