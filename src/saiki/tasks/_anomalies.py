"""Anomalies: observed values outside the calibrated interval of the forecast one step ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import nn

from saiki.data.clock import unclock
from saiki.data.frames import kept_apart, native
from saiki.data.panel import Panel
from saiki.data.roles import ID, TIME
from saiki.errors import OptionError
from saiki.tasks._forecast_columns import TOGETHER, data_units, look
from saiki.tasks._sampling import first_place

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask

#: interval in percent where none is asked for: one in a hundred usual values lies outside
LEVEL = 99.0
#: smallest half of an interval, in units of the window
NARROWEST = 1e-9


def mark(task: ForecastTask, network: nn.Module, panel: Panel, level: float) -> dict[str, np.ndarray]:
    """Columns over the steps of the panel: the forecast, its interval, score and flag.

    Every value is compared with the forecast from the steps before it. The score is its distance from the forecast over that
    of the interval's end on its side, in the units of the window: above 1 it lies outside. What was found is then taken
    for missing and all is forecast once more, so that a spike does not excuse its neighbours, nor accuse them.
    """
    found = _scored(task, network, panel, panel.y, level)
    usual = np.where(found["saiki-score"] > 1, np.nan, panel.y)
    found = _scored(task, network, replace(panel, y=usual), panel.y, level)
    return found | {"saiki-anomaly": found["saiki-score"] > 1}


def _scored(task: ForecastTask, network: nn.Module, seen: Panel, y: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """Forecasts one step ahead from the histories in `seen`, and the scores of `y`: `[steps]`, NaN where there is none."""
    names = ("saiki", f"saiki-lo-{level:g}", f"saiki-hi-{level:g}", "saiki-score")
    found = {name: np.full(len(y), np.nan) for name in names}
    below, above = (float(end[0]) for end in task.calibration.ends(level))
    windows = task.windows(seen)
    series, ends = _places(task, seen)
    for start in range(0, len(series), TOGETHER):
        part = slice(start, start + TOGETHER)
        cut = windows.cut(series[part], ends[part])
        outlook = look(task, network, cut)
        point, low, high = (v[:, 0].numpy() for v in outlook.widths(task.plan.levels))
        steps = seen.starts[series[part]] + ends[part]
        truth = outlook.scale.inward(torch.from_numpy(y[steps])[:, None])[:, 0].numpy()
        reach = np.where(truth < point, -below * low, above * high)
        rows = [point, point + below * low, point + above * high]
        known = np.isfinite(cut.y).any(1)
        for name, values in zip(names, rows, strict=False):
            outward = data_units(task, outlook, torch.from_numpy(values)[:, None])[:, 0]
            found[name][steps] = np.where(known, outward, np.nan)
        found["saiki-score"][steps] = np.where(known, np.abs(truth - point) / np.maximum(reach, NARROWEST), np.nan)
    return found


def _places(task: ForecastTask, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Series and steps that are scored: those with as much before them as a training window has at least."""
    first = first_place(task.options, task.plan)
    each = np.maximum(panel.lengths - first, 0)
    series = np.repeat(np.arange(len(panel)), each)
    return series, np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each) + first


def frame(panel: Panel, columns: dict[str, np.ndarray], like: Any = None) -> Any:
    """One row per step of every series: id, time, y and the columns."""
    roles = panel.roles
    kept_apart((roles.id, roles.time), ("y", *columns))
    kind = pl.Int64 if panel.ids.dtype.kind == "i" else pl.String
    ids = pl.Series(roles.id or ID, panel.ids.tolist(), dtype=kind).gather(
        np.repeat(np.arange(len(panel)), panel.lengths)
    )
    found = [ids, unclock(panel.times, panel.clock, roles.time or TIME), pl.Series("y", panel.y)]
    return native(pl.DataFrame([*found, *(pl.Series(name, values) for name, values in columns.items())]), like)


def level_of(levels: tuple[float, ...], asked: Any) -> float:
    """The one level by which anomalies are found."""
    if asked is None:
        return LEVEL
    if len(levels) != 1:
        raise OptionError(
            f"level is {' '.join(f'{v:g}' for v in levels)}; expected one level to find anomalies by, such as 99"
        )
    return levels[0]
