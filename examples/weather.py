"""Weather: the daily lowest temperature of the coming week, with intervals.

python examples/weather.py [--data DIR] [--minutes M]
"""

from pathlib import Path

import numpy as np
import polars as pl
from _given import given

import saiki


def real(folder: Path) -> pl.DataFrame:
    """The lowest temperature of every day in Melbourne, 1981 to 1990; two leap days are not in the file."""
    rows = pl.read_csv(folder / "forecasting/melbourne-temperatures/daily-min-temperatures.csv", try_parse_dates=True)
    return rows.select(ds="Date", y="Temp").upsample("ds", every="1d")


def planted(seed: int = 0) -> pl.DataFrame:
    """A yearly wave and weather that lasts some days: x_t = 0.7 x_(t-1) + noise."""
    rng = np.random.default_rng(seed)
    days = np.arange(6 * 365)
    weather = np.zeros(len(days))
    for t in days[1:]:
        weather[t] = 0.7 * weather[t - 1] + 2 * rng.normal()
    ds = np.datetime64("1981-01-01") + days
    return pl.DataFrame({"ds": ds, "y": 11 + 5 * np.cos(2 * np.pi * days / 365.25) + weather})


if __name__ == "__main__":
    asked = given(__doc__)
    table = real(asked.data) if asked.data else planted()
    model = saiki.train("forecast", table[:-365], horizon=7, season=1, loss="mae", log=False, seed=1, **asked.budget)
    found = model.evaluate(
        table, windows=51, step=7, level=[80], baselines=["last_value", "seasonal_naive", "linear_lags"]
    )  # the last year, week by week
    for name, scores in found.scores.items():
        print(f"  {name:15} MAE {scores['mae']:.2f}  RMSE {scores['rmse']:.2f} °C")
    print(f"  {found.scores['saiki']['coverage-80']:.0%} of the days lie in the interval of 80 %.")
    print(found.sentence())
