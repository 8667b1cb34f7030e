"""How much of Theta the answer takes: what the held-out horizons of many series say.

Theta and the network err in different ways. Of a hundred series or more the last horizons tell well how much of it helps; the fewer
they are, the nearer to a half the share stays. Where it does not help at all the share is 0, and nothing is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from saiki.baselines import theta
from saiki.data.panel import Panel
from saiki.data.windows import WindowBatch, Windows
from saiki.metrics import mase
from saiki.network.forecaster import Outlook
from saiki.network.scaling import FLOOR
from saiki.tasks._linear_share import SHARES, costs

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask

#: steps at the end of a series that Theta looks at, at most
MEMORY = 500
#: an error must be lower by so much, relatively, for the work to be worth it
WORTH = 0.002


@dataclass
class ThetaShare:
    """Share of Theta in the point, 0 to 1: x̂ = (1 - share) network + share Theta, in units of the window.

    Theta looks at the last `memory` steps, which may be more than the window.
    """

    share: float = 0.0
    memory: int = 0


def wanted(task: ForecastTask, series: int, many: int) -> bool:
    """Whether Theta may have a share: unless it is said, of many series whose point is a median of quantiles."""
    options = task.options
    if options.theta is not None:
        return options.theta and task.plan.distribution == "quantiles"
    return series >= many and task.plan.distribution == "quantiles" and options.loss in ("owa", "mae")


def beside(task: ForecastTask, found: Outlook, cut: WindowBatch) -> Outlook:
    """What the network says of these windows, with the share of Theta that the task has settled."""
    return moved(found, task.theta.share, said(task, found, cut)) if task.theta.share else found


def moved(found: Outlook, share: float, theta: Tensor) -> Outlook:
    """The point on its way to Theta, its quantiles with it."""
    away = torch.where(theta.isfinite(), share * (theta - found.point), 0).to(found.point.dtype)
    quantiles = None if found.quantiles is None else found.quantiles + away[..., None]
    return replace(found, point=found.point + away, quantiles=quantiles)


def said(task: ForecastTask, found: Outlook, cut: WindowBatch) -> Tensor:
    """Theta of every series up to its window's end, in the units of the window: `[batch, horizon]`; NaN where it has no answer."""
    y = cut.y if cut.further is None else cut.further
    answer = theta.rows(y, task.plan.horizon, task.plan.season)
    if task.plan.log:
        least = np.min(np.where(cut.y > 0, cut.y, np.inf), 1, keepdims=True)  # Theta may say 0 and below
        answer = np.where(np.isfinite(least), np.maximum(answer, FLOOR * least), np.nan)
    return found.scale.inward(torch.from_numpy(answer))


@torch.no_grad()
def settle(task: ForecastTask, network: nn.Module, panel: Panel, series: np.ndarray, ends: np.ndarray) -> None:
    """Give the task the share that is `chosen` by mean scaled errors on these windows."""
    memory = max(task.plan.history, min(int(panel.lengths.max()), MEMORY))
    cut = Windows(panel, history=task.plan.history, horizon=task.plan.horizon, memory=memory).cut(series, ends)
    # a series without a scale has no error that the others' may be averaged with, and a window without a value no forecast
    unit = np.where(np.isfinite(cut.y).any(1, keepdims=True), mase.scale(panel, task.season)[series, None], np.nan)
    judged = len(np.unique(series[np.isfinite(cut.target / unit).any(1)]))
    if not judged:
        return
    network.eval()
    found: Outlook = network(task.tensors(cut))
    answer = said(task, found, cut)
    errors = []
    for share in SHARES:
        points = moved(found, float(share), answer).points().double().numpy()
        errors.append(np.nanmean(np.abs(points - cut.target) / unit))
    task.theta.share, task.theta.memory = chosen(np.array(errors), judged), memory


def chosen(errors: np.ndarray, series: int) -> float:
    """The share with the least of the `costs` that a linear share has; 0 where that is hardly better than none at all.

    errors   mean error of every one of `SHARES`
    series   number of series that they are the mean of
    """
    if not np.isfinite(errors).all():
        return 0.0
    cost = costs(errors, series)
    best = int(cost.argmin())
    return float(SHARES[best]) if cost[best] < cost[0] - WORTH else 0.0
