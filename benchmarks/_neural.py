"""A neural peer of the forecasting benchmark: neuralforecast's GRU with its defaults, on the windows that saiki is judged on.

It is not among the extras of the project, because it brings some hundred packages: `pip install neuralforecast==3.3.0`. It sees the
target alone, missing values filled with the last one before them, and is trained once, for the 1,000 steps that are its default.
"""

from __future__ import annotations

import logging
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from saiki.data.panel import Panel, panel
from saiki.metrics import mae, mase, rmse
from saiki.tasks._backtest import before


def scores(
    seen: pl.DataFrame, judged: pl.DataFrame, horizon: int, windows: int, step: int, seed: int
) -> dict[str, Any]:
    """Trained on `seen`, scored on the last `windows` of every series of `judged`, as `saiki evaluate` rolls over them."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import GRU

    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    quiet = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": False,
        "enable_checkpointing": False,
    }
    train, test = panel(seen, target="y"), panel(judged, target="y")
    model = NeuralForecast([GRU(h=horizon, random_seed=seed, accelerator="cpu", **quiet)], freq=1)
    began = time.perf_counter()
    model.fit(_filled(train, train.lengths))
    seconds = time.perf_counter() - began
    truth, found, series = [], [], []
    for number in range(windows):
        ends = test.lengths - horizon - (windows - 1 - number) * step
        some = np.flatnonzero(ends >= 2)
        if not len(some):
            continue
        answer = model.predict(_filled(test, ends)).sort_values(["unique_id", "ds"])
        found.append(answer["GRU"].to_numpy().reshape(len(some), horizon))
        truth.append(test.y[test.starts[some, None] + ends[some, None] + np.arange(horizon)])
        series.append(some)
    some = series[-1]  # MASE is in units of the histories at the last cutoff, as `saiki evaluate` takes them
    unit = np.full(len(test), np.nan)
    unit[some] = mase.scale(before(test, some, test.lengths[some] - horizon), train.season)
    scale = unit[np.concatenate(series)]
    t, f = np.concatenate(truth), np.concatenate(found)
    return {"mae": mae.score(t, f), "rmse": rmse.score(t, f), "mase": mase.score(t, f, scale), "seconds": round(seconds, 1),
            "version": version("neuralforecast")}  # fmt: skip


def _filled(data: Panel, ends: np.ndarray) -> pd.DataFrame:
    """Every series up to its end, steps counted, missing values filled with the last one before them (else the first after)."""
    parts = []
    for number in np.flatnonzero(ends >= 2):
        begin = data.starts[number]
        y = pd.Series(data.y[begin : begin + ends[number]]).ffill().bfill()
        parts.append(pd.DataFrame({"unique_id": f"{number:06d}", "ds": np.arange(ends[number]), "y": y}))
    return pd.concat(parts)
