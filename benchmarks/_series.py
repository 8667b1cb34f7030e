"""The public data sets of the forecasting benchmark, as tables; those of the examples are read as the examples read them."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
from _rows import ROOT

sys.path.append(str(ROOT / "examples"))
import electricity as _electricity
import glucose as _glucose
import traffic as _traffic
import weather as _weather

DAY = 288  # steps of five minutes
#: rows of the 2,016 that T-GCN trains on, and its look-back; it drops the last window
SEEN, LOOK_BACK = 1612, 12


def temperatures(data: Path) -> pl.DataFrame:
    """Daily lowest temperature of Melbourne; the last year is the test."""
    return _weather.real(data)


def electricity(data: Path) -> pl.DataFrame:
    """Half-hourly demand of England and Wales; the last two weeks are the test."""
    return _electricity.real(data)


def glucose(data: Path) -> pl.DataFrame:
    """Five-minute glucose of 19 people."""
    return _glucose.real(data)


def air(data: Path) -> pl.DataFrame:
    """Hourly PM2.5 in Beijing with the weather beside it, 2010 to 2014."""
    rows = pl.read_csv(data / "forecasting/beijing-pm25/pollution.csv", null_values="NA", infer_schema_length=None)
    return rows.select(
        ds=pl.datetime("year", "month", "day", "hour"),
        y=pl.col("pm2.5").cast(pl.Float64),
        dew=pl.col("DEWP").cast(pl.Float64),
        temperature=pl.col("TEMP").cast(pl.Float64),
        pressure=pl.col("PRES").cast(pl.Float64),
        wind="Iws",
        direction="cbwd",
    )


def indices(data: Path) -> pl.DataFrame:
    """Daily closing values of NASDAQ and S&P 500, 1999 to 2018, trading days counted."""
    parts = []
    for name in ("nasdaq", "sp500"):
        rows = pl.read_csv(data / f"forecasting/stock-indices/{name}/{name}.csv.gz")
        parts.append(
            rows.select(
                pl.lit(name).alias("unique_id"), ds=pl.int_range(pl.len()), y=pl.col("Adj Close").cast(pl.Float64)
            )
        )
    return pl.concat(parts)


def traffic(data: Path) -> pl.DataFrame:
    """Speeds in long form, with what may be known of the road around: all of it from the same or an earlier moment.

    near, all  mean speed of the neighbours (by the adjacency of the data) and of all detectors, less the own speed
    speed      the own speed, in its own unit
    usual      the mean of the detector's speed at this time on the days before: known a day ahead
    detector   its name, for an embedding of its own
    """
    wide = _traffic.real(data)[:-1]  # T-GCN drops the last window, so the last row is never asked for
    names, y = wide.columns[1:], wide[:, 1:].to_numpy()
    weight = np.loadtxt(data / "forecasting/los-loop-traffic/los_adj.csv", delimiter=",")
    np.fill_diagonal(weight, 0)
    total = weight.sum(1)
    near = np.where(total > 0, y @ weight.T / np.maximum(total, 1e-9), y) - y
    usual = np.full_like(y, np.nan)
    for t in range(DAY, len(y)):
        usual[t] = y[t % DAY : t : DAY].mean(0)
    columns = {"y": y, "near": near, "all": y.mean(1, keepdims=True) - y, "speed": y, "usual": usual}
    long = {name: values.T.ravel() for name, values in columns.items()}
    ids = {"unique_id": np.repeat(names, len(y)), "ds": pl.concat([wide["ds"]] * len(names))}
    return pl.DataFrame(ids | long).with_columns(pl.col("usual").fill_nan(None), detector=pl.col("unique_id"))


def stock_directions(data: Path, days: int = 10) -> dict[str, pl.DataFrame]:
    """Train, valid and test as StockNet cuts them: a case per stock and day, the days before it, and up or down.

    Up: the adjusted close rises by 0.55 % or more; down: it falls by 0.5 % or more; other days are no cases.
    """
    borders = [pl.date(2014, 1, 1), pl.date(2015, 8, 1), pl.date(2015, 10, 1), pl.date(2016, 1, 1)]
    parts: dict[str, list[pl.DataFrame]] = {"train": [], "valid": [], "test": []}
    with tarfile.open(data / "forecasting/stock-acl18/stocknet-price-raw.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".csv") else None
            if file is None:
                continue
            rows = pl.read_csv(file.read(), try_parse_dates=True, null_values="null").drop_nulls().sort("Date")
            rows = _changes(rows).with_row_index("row")
            for some, begin, end in zip(parts.values(), borders, borders[1:], strict=False):
                inside = (pl.col("Date") >= begin) & (pl.col("Date") < end) & (pl.col("row") > days)
                cases = rows.filter(inside & ((pl.col("move") >= 0.0055) | (pl.col("move") <= -0.005)))
                if len(cases):
                    some.append(_cases(rows, cases, Path(member.name).stem, days))
    return {name: pl.concat(some) for name, some in parts.items()}


def _changes(rows: pl.DataFrame) -> pl.DataFrame:
    close, before = pl.col("Close"), pl.col("Close").shift(1)
    return rows.select(
        "Date",
        move=pl.col("Adj Close").pct_change(),
        change=(close / before).log(),
        night=(pl.col("Open") / before).log(),
        high=(pl.col("High") / close).log(),
        low=(pl.col("Low") / close).log(),
        volume=(pl.col("Volume").cast(pl.Float64) + 1).log().diff(),
    )


def _cases(rows: pl.DataFrame, cases: pl.DataFrame, stock: str, days: int) -> pl.DataFrame:
    """The days before each case, without the day itself."""
    row = cases["row"].to_numpy().astype(np.int64)
    past = rows[(row[:, None] + np.arange(-days, 0)).ravel().tolist()].drop("row", "move", "Date")
    told = {
        "unique_id": np.repeat([f"{stock} {day}" for day in cases["Date"]], days),
        "ds": np.tile(np.arange(days), len(row)),
        "y": np.repeat(np.where(cases["move"].to_numpy() > 0, "up", "down"), days),
    }
    return pl.DataFrame(told).hstack(past)
