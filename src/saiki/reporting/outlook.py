"""What a forecast picture shows: the end of a history, the truth, the forecast with its bands, the best baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saiki.tasks._evaluation import Evaluation

#: steps of history shown, in horizons
TAIL = 3


@dataclass(frozen=True)
class Outlook:
    """One series around the moment of its forecast; times are datetimes or integers."""

    name: str
    times: np.ndarray  # [tail]
    history: np.ndarray  # [tail]
    ahead: np.ndarray  # [horizon] times of the forecast
    truth: np.ndarray  # [horizon]
    forecast: np.ndarray  # [horizon]
    bands: dict[str, tuple[np.ndarray, np.ndarray]]  # level in percent -> lower, upper; the widest first
    baseline: np.ndarray | None
    baseline_name: str


def outlook(evaluation: Evaluation, series: int) -> Outlook:
    """The picture of one series of an evaluation."""
    panel, found, truth = evaluation.panel, evaluation.forecasts, evaluation.truth
    assert truth is not None, "an evaluation that was saved has no forecasts"
    horizon = truth.shape[1]
    end = panel.starts[series] + panel.lengths[series]
    start = end - min(panel.lengths[series], TAIL * horizon)
    levels = [name.rpartition("-")[2] for name in found if name.startswith("saiki-lo-")]
    wide = sorted(levels, key=float, reverse=True)
    best = evaluation.best_baseline
    return Outlook(
        name=str(panel.ids[series]),
        times=panel.times[start:end],
        history=panel.y[start:end],
        ahead=panel.future_times(horizon)[series],
        truth=truth[series],
        forecast=found["saiki"][series],
        bands={level: (found[f"saiki-lo-{level}"][series], found[f"saiki-hi-{level}"][series]) for level in wide},
        baseline=found[best][series] if best else None,
        baseline_name=best or "",
    )


def chosen(evaluation: Evaluation, count: int = 3) -> list[int]:
    """Series to show, from the best to the worst forecast: evenly spaced by their error relative to their size."""
    truth, forecast = evaluation.truth, evaluation.forecasts["saiki"]
    assert truth is not None, "an evaluation that was saved has no forecasts"
    known = np.isfinite(truth) & np.isfinite(forecast)
    size = np.where(known, np.abs(truth), 0).sum(1)
    error = np.where(known, np.abs(truth - forecast), 0).sum(1) / np.maximum(size, 1e-12)
    some = np.flatnonzero(known.any(1))
    order = some[np.argsort(error[some], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return [int(order[place]) for place in places]
