"""What stands behind forecasts: what they were made from (integrated gradients), and whether intervals hold what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from saiki import metrics
from saiki.metrics._events import Origins

if TYPE_CHECKING:
    from saiki.data.panel import Panel
    from saiki.network.forecaster import Forecaster
    from saiki.tasks._forecasting import ForecastTask

#: what the network is told beside the values; categories stay as they are, a flag of what is missing is a number like others
TOLD = ("past", "future_history", "future_horizon", "static", "calendar_history", "calendar_horizon")
#: points of the path from nothing to the input
POINTS = 48
#: rows that are explained, and rows whose intervals are counted, at most
EXPLAINED, COUNTED = 128, 2048
#: levels of the reliability diagram, in percent
LEVELS = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0)


@dataclass(frozen=True)
class Insight:
    """Of some forecasts: the share that each lag and each column has in them, and how often intervals hold the truth.

    lags      how far each step of the window moved the mean of the horizon, in units of the window, oldest first `[history]`
    columns   the same by column, all steps together: the values themselves first, the calendar last
    coverage  level in percent -> share of the truth inside; nothing where the model knows no intervals
    """

    lags: np.ndarray
    columns: dict[str, float]
    coverage: dict[float, float]


def insight(task: ForecastTask, network: Any, panel: Panel, origins: Origins) -> Insight:
    """Both, for rows evenly drawn from those that were judged."""
    windows = task.windows(panel)
    some = _some(len(origins.series), EXPLAINED)
    batch = task.tensors(windows.cut(origins.series[some], origins.ends[some]))
    moved = {name: part.abs().mean(0).double().numpy() for name, part in integrated_gradients(network, batch).items()}
    some = _some(len(origins.series), COUNTED)
    coverage: dict[float, float] = {}
    if task.calibration.errors is not None:
        cut = windows.cut(origins.series[some], origins.ends[some])
        coverage = _coverage(task.forecast_batch(network, cut, LEVELS), origins.truth[some])
    return Insight(moved["x"], _by_column(task, moved), coverage)


def integrated_gradients(network: Forecaster, batch: dict[str, Tensor], points: int = POINTS) -> dict[str, Tensor]:
    """How far each number of the input moved the mean of the horizon, in units of the window: x and TOLD, shaped as they are.

        a_i = (x_i - b_i) ∫₀¹ ∂F / ∂x_i (b + s (x - b)) ds       F: mean of the point forecast over the horizon

    b, nothing told: every value at the window's level, every column at its mean. The window's level and spread are held, so the
    sum over all a is F(x) - F(b) up to the error of the midpoint rule.
    Source: Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017, eq. 1 and 3.
    """
    network.eval()
    whole = {"x": network.window(batch)} | {name: batch[name] for name in TOLD}
    totals = {name: torch.zeros_like(value) for name, value in whole.items()}
    for k in range(points):
        at = {name: (value * ((k + 0.5) / points)).requires_grad_() for name, value in whole.items()}
        answer = network(batch | at).point.mean(1).sum()
        found = torch.autograd.grad(answer, list(at.values()), allow_unused=True)
        for name, gradient in zip(at, found, strict=True):
            totals[name] += 0 if gradient is None else gradient / points
    return {name: totals[name] * value for name, value in whole.items()}


def _by_column(task: ForecastTask, moved: dict[str, np.ndarray]) -> dict[str, float]:
    """Sums by column; a column is its numbers and their flags, before and ahead."""
    found = {"values": float(moved["x"].sum())}
    codec = task.codec
    for role, parts in (("past", ["past"]), ("future", ["future_history", "future_horizon"]), ("static", ["static"])):
        names = getattr(codec, role).numeric
        for part in parts if names else ():
            by = moved[part].reshape(-1, moved[part].shape[-1]).sum(0)
            for k, name in enumerate(names):
                found[name] = found.get(name, 0.0) + float(by[k] + by[len(names) + k])
    if codec.calendar:
        found["calendar"] = float(moved["calendar_history"].sum() + moved["calendar_horizon"].sum())
    return found


def _coverage(found: dict[str, np.ndarray], truth: np.ndarray) -> dict[float, float]:
    """The share of the truth inside every interval; where there is none, nothing is counted, as in the scores."""
    ends = {level: (found[f"saiki-lo-{level:g}"], found[f"saiki-hi-{level:g}"]) for level in LEVELS}
    known = np.isfinite(truth) & np.isfinite(ends[LEVELS[0]][0])
    return {level: metrics.coverage.score(truth, *of) for level, of in ends.items()} if known.any() else {}


def _some(rows: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(int))
