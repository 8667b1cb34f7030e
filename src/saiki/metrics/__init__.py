"""Scores: one file each, pure functions on arrays; `BETTER` says which way a score is better, lower unless said.

Forecasts are [series, horizon]; missing truth is left out. Every score of a forecast is the mean over series of each
series' mean over its known steps, so all series weigh the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from saiki import catalog
from saiki.metrics import coverage, crps, mae, mase, owa, pinball, rmse, smape, width

#: the scores of labels and of numbers, in the order of tables
OF_LABELS = ("accuracy", "macro_f1", "auc", "average_precision", "log_loss", "matthews", "calibration_error")
OF_NUMBERS = ("rmse", "mae", "r2")

if TYPE_CHECKING:
    from saiki.data.panel import Panel

__all__ = [
    "better", "coverage", "crps", "forecast_scores", "label", "label_scores", "mae", "mase", "notes", "number_scores", "owa",
    "pinball", "rmse", "smape", "width",
]  # fmt: skip

#: how metrics are written where their name alone would not do
_LABELS = {"rmse": "RMSE", "smape": "sMAPE"}


def better(metric: str) -> str:
    """`lower`, `higher`, or `level` for one that should be near its level: what the metric's file calls BETTER.

    `coverage-80` is a metric of the file `coverage`. A metric without a file, or without the word, is better lower.
    """
    name = metric.partition("-")[0]
    return getattr(catalog.load("metrics", name), "BETTER", "lower") if name in catalog.names("metrics") else "lower"


def label(metric: str) -> str:
    """`owa` → `OWA`; words stay words: `log_loss` → `log loss`."""
    return _LABELS.get(metric, metric.upper() if len(metric) <= 4 else metric.replace("_", " "))


def forecast_scores(
    forecasts: dict[str, np.ndarray],
    truth: np.ndarray,
    panel: Panel,
    season: int | None = None,
    levels: Sequence[float] = (),
    scale: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:
    """Every score of every forecast, by name.

    forecasts  name -> [series, horizon]; intervals of `a` are named `a-lo-80` and `a-hi-80`
    truth      [series, horizon], NaN = missing
    panel      the histories, in the same order: they give MASE its scale
    season     of MASE; default the panel's
    levels     of the intervals, in percent
    scale      of MASE, `[series]`; then the histories play no part

    mae, rmse, smape, mase; owa if `naive2` is among the forecasts; for forecasts with intervals, pinball (the mean over
    the ends of the intervals and the median) and `coverage-80`, `width-80`, … .
    """
    scale = mase.scale(panel, season or panel.season) if scale is None else scale
    ends = {f"{name}-{side}-{level:g}" for name in forecasts for level in levels for side in ("lo", "hi")}
    scores = {
        name: {
            "mae": mae.score(truth, forecast),
            "rmse": rmse.score(truth, forecast),
            "smape": smape.score(truth, forecast),
            "mase": mase.score(truth, forecast, scale),
        }
        for name, forecast in forecasts.items()
        if name not in ends
    }
    reference = scores.get("naive2")
    for name, found in scores.items():
        if reference:
            found["owa"] = owa.score(found["smape"], found["mase"], reference["smape"], reference["mase"])
        found |= _intervals(name, forecasts, truth, levels)
    return scores


def label_scores(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Every score of labels, from codes `[rows]` and probabilities `[rows, classes]`."""
    return {name: catalog.load("metrics", name).score(truth, probabilities) for name in OF_LABELS}


def number_scores(truth: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    """Every score of numbers `[rows]`, all rows alike."""
    rows = (truth[:, None], answer[:, None])
    return {
        "rmse": rmse.score(*rows),
        "mae": mae.score(*rows),
        "r2": catalog.load("metrics", "r2").score(truth, answer),
    }


def notes(truth: np.ndarray, panel: Panel, season: int | None = None) -> list[str]:
    """What the scores leave out, as sentences."""
    missing, unknown = int(np.isnan(truth).sum()), int(np.isnan(truth).all(1).sum())
    flat = mase.left_out(truth, mase.scale(panel, season or panel.season))
    said = [
        (flat, f"MASE leaves out {flat} of {len(truth)} series: their history is constant or too short to scale by."),
        (missing, f"The truth is missing in {missing:,} of {truth.size:,} steps ({unknown} series have none at all)."),
    ]
    return [sentence for true, sentence in said if true]


def _intervals(
    name: str, forecasts: dict[str, np.ndarray], truth: np.ndarray, levels: Sequence[float]
) -> dict[str, float]:
    losses, scores = [], {}
    for level in levels:
        low, high = (forecasts.get(f"{name}-{side}-{level:g}") for side in ("lo", "hi"))
        if low is None or high is None:
            continue
        scores[f"coverage-{level:g}"] = coverage.score(truth, low, high)
        scores[f"width-{level:g}"] = width.score(truth, low, high)
        losses.append(pinball.score(truth, low, 0.5 - level / 200))
        losses.append(pinball.score(truth, high, 0.5 + level / 200))
    if not losses:
        return {}
    losses.append(pinball.score(truth, forecasts[name], 0.5))
    return {"pinball": float(np.mean(losses)), **scores}
