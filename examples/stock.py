"""Stocks: tomorrow's closing price, and whether it rises. A price should not be forecastable; a model must say so.

python examples/stock.py [--data DIR] [--minutes M]
"""

import tarfile
from pathlib import Path

import numpy as np
import polars as pl
from _given import given

import saiki
from saiki.metrics import accuracy, matthews


def real(folder: Path) -> pl.DataFrame:
    """88 stocks of the United States, adjusted closing prices of trading days from 2012 to 2015 (Xu and Cohen 2018)."""
    parts = []
    with tarfile.open(folder / "forecasting/stock-acl18/stocknet-price-raw.tar.xz") as archive:
        for member in archive:
            if member.name.endswith(".csv") and (file := archive.extractfile(member)):
                rows = pl.read_csv(file.read(), try_parse_dates=True, null_values="null")
                parts.append(
                    rows.select(
                        pl.lit(Path(member.name).stem).alias("unique_id"), date="Date", y="Adj Close"
                    ).drop_nulls("y")
                )
    table = pl.concat(parts).filter(pl.col("date") < pl.date(2016, 1, 1)).sort("unique_id", "date")
    # trading days are counted: weekends and holidays are no gaps
    return table.with_columns(ds=pl.int_range(pl.len()).over("unique_id")).select("unique_id", "ds", "y")


def planted(seed: int = 0) -> pl.DataFrame:
    """Random walks of the logarithm: the last price is the best forecast, and nothing beats it."""
    rng = np.random.default_rng(seed)
    stocks, days = 20, 300
    y = 50 * np.exp(0.015 * rng.normal(size=(stocks, days)).cumsum(1))
    names = np.repeat([f"stock-{k}" for k in range(stocks)], days)
    return pl.DataFrame({"unique_id": names, "ds": np.tile(np.arange(days), stocks), "y": y.ravel()})


if __name__ == "__main__":
    asked = given(__doc__)
    table = real(asked.data) if asked.data else planted()
    test = 60  # trading days at the end of every stock, which training does not see
    seen = table.filter(pl.int_range(pl.len()).over("unique_id") < pl.len().over("unique_id") - test)
    model = saiki.train("forecast", seen, horizon=1, season=1, scale="window", seed=1, **asked.budget)
    found = model.evaluate(table, windows=test, step=1, baselines=["last_value", "theta", "linear_lags"])
    for name, scores in found.scores.items():
        print(f"  {name:12} MAE {scores['mae']:.3f}  MASE {scores['mase']:.4f}")
    days = model.cross_validation(table, windows=test, step=1, baselines=["last_value"])
    rises = (days["y"] > days["last_value"]).to_numpy().astype(int)
    says = np.eye(2)[(days["saiki"] > days["last_value"]).to_numpy().astype(int)]
    usual = max(rises.mean(), 1 - rises.mean())
    print(f"  direction: {accuracy.score(rises, says):.1%} right, {usual:.1%} for always saying the more frequent one;")
    print(f"  Matthews correlation {matthews.score(rises, says):+.3f} (0 is chance)")
    print(found.sentence())
    if found.scores["saiki"]["mase"] > 0.98 * found.scores["last_value"]["mase"]:
        print(
            "Prices were not forecast better than by the last price, by 2 % at least: as it should be in a market that works."
        )
