"""Electricity: the demand of a country or a region, every half hour or hour of the next day.

python examples/electricity.py [--data DIR] [--minutes M]
"""

from pathlib import Path

import numpy as np
import polars as pl
from _given import given

import saiki


def real(folder: Path) -> pl.DataFrame:
    """Demand in England and Wales every half hour for twelve weeks from 5 June 2000, in megawatts (Taylor 2003)."""
    y = pl.read_csv(folder / "forecasting/classics/taylor.csv")["Y"]
    ds = np.datetime64("2000-06-05", "us") + np.arange(len(y)) * np.timedelta64(30, "m")
    return pl.DataFrame({"ds": ds, "y": y})


def planted(seed: int = 0) -> pl.DataFrame:
    """A day whose height depends on the day of the week, and a slow wave of the weather over both."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * 7 * 10)
    day = 1 - np.cos(2 * np.pi * (hours % 24 - 4) / 24)
    working = np.where(hours // 24 % 7 < 5, 1.0, 0.6)
    weather = 1 + 0.1 * np.sin(2 * np.pi * hours / 211)
    y = 1000 * weather * (1 + working * day) + 15 * rng.normal(size=len(hours))
    return pl.DataFrame({"ds": np.datetime64("2000-06-05", "us") + hours * np.timedelta64(1, "h"), "y": y})


if __name__ == "__main__":
    asked = given(__doc__)
    table = real(asked.data) if asked.data else planted()
    day = 48 if asked.data else 24
    model = saiki.train("forecast", table[: -14 * day], horizon=day, seed=1, **asked.budget)
    found = model.evaluate(
        table, windows=14, step=day, baselines=["last_value", "seasonal_naive", "linear_lags"]
    )  # the last two weeks, day by day
    for name, scores in found.scores.items():
        print(f"  {name:15} MAE {scores['mae']:.0f} MW  sMAPE {scores['smape']:.2f} %")
    print(found.sentence())
