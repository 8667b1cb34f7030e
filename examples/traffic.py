"""Traffic: the speed at 207 loop detectors of Los Angeles, every five minutes of the next hour.

python examples/traffic.py [--data DIR] [--minutes M]
"""

from pathlib import Path

import numpy as np
import polars as pl
from _given import given

import saiki


def real(folder: Path) -> pl.DataFrame:
    """A row per five minutes from 1 to 7 March 2012, a column of miles per hour per detector."""
    wide = pl.read_csv(folder / "forecasting/los-loop-traffic/los_speed.csv")
    return wide.insert_column(
        0, pl.Series("ds", np.datetime64("2012-03-01", "us") + np.arange(len(wide)) * np.timedelta64(5, "m"))
    )


def planted(seed: int = 0) -> pl.DataFrame:
    """Free flow, but for jams that come at random, last about an hour, and dissolve the faster the older they are."""
    rng = np.random.default_rng(seed)
    steps, detectors = 900, 12
    speed, age = np.full((steps, detectors), 65.0), np.full(detectors, np.inf)
    for t in range(1, steps):
        age = np.where(rng.random(detectors) < 1 / 60, 0, age + 1)
        speed[t] = 65 - 40 * np.sin(np.pi * np.minimum(age / 12, 1))
    speed += rng.normal(size=speed.shape)
    ds = np.datetime64("2012-03-01", "us") + np.arange(steps) * np.timedelta64(5, "m")
    return pl.DataFrame({"ds": ds} | {f"detector-{k}": speed[:, k] for k in range(detectors)})


if __name__ == "__main__":
    asked = given(__doc__)
    table = real(asked.data) if asked.data else planted()
    names = table.columns[1:]
    begin = len(table) * 4 // 5  # the last fifth is for the test: training does not see it
    model = saiki.train("forecast", table[:begin], target=names, horizon=12, season=1, seed=1, **asked.budget)
    found = model.evaluate(
        table, windows=20, step=(len(table) - begin - 12) // 20, baselines=["last_value", "linear_lags"]
    )
    for name, scores in found.scores.items():
        print(f"  {name:15} MAE {scores['mae']:.2f}  RMSE {scores['rmse']:.2f} mph")
    print(found.sentence())
