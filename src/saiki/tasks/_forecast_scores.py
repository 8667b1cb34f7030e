"""How forecasts are judged: beside the baselines, on what came after, with what a clinic asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from saiki import baselines, metrics
from saiki.data.audit import audit_series
from saiki.data.panel import Panel
from saiki.errors import DataError
from saiki.metrics._events import Origins
from saiki.tasks import _forecast_columns
from saiki.tasks._clinical import Clinical
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._forecast_tables import after

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask


def evaluated(
    task: ForecastTask,
    network: Any,
    data: Any,
    history: Any,
    chosen: Sequence[str] | None,
    levels: Sequence[float],
    clinical: Clinical,
) -> Evaluation:
    """Scores beside the baselines': of the last horizon in `data`, or of what follows `history`."""
    if history is None:
        past, truth = task.read(data).cut(task.plan.horizon)
        about = f"the last {task.plan.horizon} steps of each series"
    else:
        past, truth = after(task.read, task.plan.horizon, history, data, task.roles)
        about = f"the {task.plan.horizon} steps after the history of each series"
    judged = np.flatnonzero(truth.lengths > 0)
    if not len(judged):
        longest = int(past.lengths.max(initial=0))
        raise DataError(
            f"nothing to evaluate: the longest series has {longest} steps; expected at least {task.plan.horizon + 2}, "
            "or the history apart"
        )
    found = judge(task, network, past.select(judged), truth.select(judged), about, chosen, levels)
    if left := len(past) - len(judged):
        found.notes.append(f"{left} of {len(past)} series have nothing to compare with and are left out.")
    assert found.truth is not None
    seen = found.panel
    last = seen.y[seen.starts + seen.lengths - 1]
    origins = Origins(np.arange(len(seen)), seen.lengths, last, found.truth)
    clinical.add(found, found.forecasts, origins, task.frequency)
    tell_known(task, found, seen.ids, clinical)
    return replace(found, judged=(seen, origins))


def judge(
    task: ForecastTask,
    network: Any,
    past: Panel,
    truth: Panel,
    about: str,
    chosen: Sequence[str] | None = None,
    levels: Sequence[float] | None = None,
) -> Evaluation:
    """The score table for histories and what came after each of them."""
    levels = task.options.level if levels is None else levels
    horizon = task.plan.horizon
    target = np.full((len(past), horizon), np.nan)
    for row, (start, length) in enumerate(zip(truth.starts, np.minimum(truth.lengths, horizon), strict=True)):
        target[row, :length] = truth.y[start : start + length]
    scored = _forecast_columns.crps_levels(task)
    beside = [v for v in scored if v not in levels]
    forecasts = task.forecasts(network, past, [*levels, *beside])
    crps = _forecast_columns.crps(task, forecasts, target) if scored else None
    for level in beside:
        del forecasts[f"saiki-lo-{level:g}"], forecasts[f"saiki-hi-{level:g}"]
    forecasts |= baselines.all_forecasts(past, horizon, task.season, chosen)
    scores = metrics.forecast_scores(forecasts, target, past, task.season, levels=levels)
    if crps is not None:
        scores["saiki"]["crps"] = crps
    notes = metrics.notes(target, past, task.season)
    return Evaluation(about, scores, notes, forecasts, target, past)


def tell_known(task: ForecastTask, found: Evaluation, ids: np.ndarray, clinical: Clinical) -> None:
    """Say which patients training has seen, where a clinic asks."""
    if clinical.grid or clinical.events:
        found.notes.extend(audit_series(task.known, ids))
