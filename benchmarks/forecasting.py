"""Forecasts as a practitioner meets them: one command per row on public data, the baselines on the same windows beside it.

    python benchmarks/forecasting.py --data DIR [--only traffic-15 …] [--seeds 1 2 3] [--peer] [--report]

Each row is `saiki train`, then `saiki evaluate` on the test part, as processes of their own. Nothing is chosen on a test part.
Rows stand in benchmarks/results/forecasting.json under command, data and code; docs/quality_forecasting.md shows them. With --peer
a neural network of another library is trained and judged instead (see _neural.py).

Traffic follows T-GCN (Zhao et al. 2019): trained on the first 1,612 of 2,016 rows, every window of the last 404 whose 12 rows of
look-back lie in it too, but for the last one; RMSE over all windows, detectors and steps up to 15, 30, 45 and 60 minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _series
import polars as pl
from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import CODE, _median, saiki

PAGE = ROOT / "docs" / "quality_forecasting.md"
PLAIN = ["seasonal_naive", "last_value", "theta", "linear_lags"]
GOODS = ["--target", "y", "--past", "dew", "temperature", "pressure", "wind", "direction"]
#: chosen on the last 322 of the 1,612 rows that training sees, an hour ahead
ROAD = ["--past", "near", "all", "speed", "--future", "usual", "--static", "detector", "--season", "1", "--patch", "1"]
ROAD += ["--history", "24", "--scale", "last", "--loss", "mse", "--dropout", "0.3"]
ROAD += ["--learning-rate", "0.003", "--validate-steps", "288", "--no-refit"]


@dataclass(frozen=True)
class Set:
    """What is asked of a data set, and how it is judged."""

    about: str
    table: Callable[[Path], pl.DataFrame]
    files: tuple[str, ...]
    horizon: int
    test: int  # steps at the end of every series that training does not see
    windows: int
    step: int
    options: tuple[str, ...] = ("--minutes", "2")
    baselines: tuple[str, ...] = (*PLAIN, "ets")
    scores: tuple[str, ...] = ("mae", "rmse", "mase")
    apart: int = 0  # every so many series is for the test alone
    known: str = ""


def _road(minutes: int, steps: int, known: float, gru: float) -> Set:
    return Set(
        f"Traffic speeds of Los Angeles, {minutes} minutes ahead, T-GCN's protocol, mph",
        _series.traffic,
        ("forecasting/los-loop-traffic/los_speed.csv", "forecasting/los-loop-traffic/los_adj.csv"),
        steps,
        403,
        404 - _series.LOOK_BACK - steps,
        1,
        (*ROAD, "--minutes", "4"),
        ("last_value",),
        ("rmse", "mae"),
        known=f"By memory of the paper, RMSE: T-GCN {known}, GRU {gru}",
    )


SETS = {
    "electricity": Set("Electricity demand of England and Wales, the next day by half hours, two weeks, MW",
        _series.electricity, ("forecasting/classics/taylor.csv",), 48, 14 * 48, 14, 48),
    "temperatures": Set("Lowest temperature of Melbourne, the next 7 days, one year, °C",
        _series.temperatures, ("forecasting/melbourne-temperatures/daily-min-temperatures.csv",), 7, 365, 51, 7),
    "air": Set("PM2.5 in Beijing, the next 24 hours, the days of 2014, µg/m³",
        _series.air, ("forecasting/beijing-pm25/pollution.csv",), 24, 8760, 365, 24, (*GOODS, "--minutes", "2"), tuple(PLAIN)),
    "indices": Set("NASDAQ and S&P 500, the next 5 trading days, 250 days, points",
        _series.indices, ("forecasting/stock-indices/nasdaq/nasdaq.csv.gz", "forecasting/stock-indices/sp500/sp500.csv.gz"),
        5, 250, 50, 5, baselines=tuple(PLAIN)),
    "glucose": Set("Glucose, the next 30 minutes, people never seen, mg/dL",
        _series.glucose, ("medical/cgm-hall2018/example_data_hall.rda",), 6, 0, 300, 3,
        ("--holdout", "id", "--minutes", "2"), tuple(PLAIN), apart=4),
    "traffic-15": _road(15, 3, 5.1264, 5.2182),
    "traffic-30": _road(30, 6, 6.0598, 6.2802),
    "traffic-45": _road(45, 9, 6.7065, 7.0343),
    "traffic-60": _road(60, 12, 7.2677, 7.6621),
}  # fmt: skip
STOCKS = "stock-direction"
STOCK_OPTIONS = ["--target", "y", "--minutes", "2"]
STOCK_FILE = "forecasting/stock-acl18/stocknet-price-raw.tar.xz"


def parts(what: Set, data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What training sees, and what is judged, history and truth in one."""
    table = what.table(data)
    if "unique_id" not in table.columns:
        table = table.with_columns(unique_id=pl.lit("series"))
    if what.apart:
        people = table["unique_id"].unique().sort().gather_every(what.apart).implode()
        seen, judged = (table.filter(pl.col("unique_id").is_in(people) == new) for new in (False, True))
    else:
        seen = table.filter(pl.int_range(pl.len()).over("unique_id") < pl.len().over("unique_id") - what.test)
        judged = table
    return seen, judged


def measure(what: Set, data: Path, seed: int) -> dict[str, Any]:
    """One row: train, then score every window of the test part."""
    seen, judged = parts(what, data)
    with tempfile.TemporaryDirectory() as folder:
        train, test, model = (f"{folder}/{name}" for name in ("train.parquet", "test.parquet", "model"))
        seen.write_parquet(train)
        judged.write_parquet(test)
        began = time.perf_counter()
        asked = ["--horizon", str(what.horizon), *what.options, "--seed", str(seed)]
        saiki("train", "forecast", train, *asked, "--out", model, "--quiet")
        seconds = time.perf_counter() - began
        rolling = ["--windows", str(what.windows), "--step", str(what.step), "--baselines", *what.baselines]
        found = json.loads(saiki("evaluate", model, test, *rolling, "--json"))
        steps = json.loads(Path(model, "config.json").read_text())["run"]["step"]
    facts = {"seed": seed, "seconds": round(seconds, 1), "steps": steps, "sentence": found["sentence"]}
    return facts | {"scores": found["scores"], **about()}


def measure_peer(what: Set, data: Path, seed: int) -> dict[str, Any]:
    """One row of the peer."""
    import _neural

    found = _neural.scores(*parts(what, data), what.horizon, what.windows, what.step, seed)
    peer = f"GRU of neuralforecast {found.pop('version')}, its defaults"
    return {"peer": peer, "seed": seed, "seconds": found.pop("seconds"), "scores": found, **about()}


def measure_stocks(data: Path, seed: int) -> dict[str, Any]:
    """One row of next-day directions, with what the audit says of the data."""
    split = _series.stock_directions(data)
    with tempfile.TemporaryDirectory() as folder:
        for name, table in split.items():
            table.write_parquet(f"{folder}/{name}.parquet")
        began, model = time.perf_counter(), f"{folder}/model"
        asked = [*STOCK_OPTIONS, "--valid", f"{folder}/valid.parquet", "--seed", str(seed)]
        saiki("train", "classify", f"{folder}/train.parquet", *asked, "--out", model, "--quiet")
        seconds = time.perf_counter() - began
        found = json.loads(saiki("evaluate", model, f"{folder}/test.parquet", "--json"))
        config = json.loads(Path(model, "config.json").read_text())
    audit = [says for word, says in config["data"]["summary"] if word == "leak"]
    cases = split["test"].group_by("unique_id").agg(pl.col("y").first())["y"].value_counts().sort("y").rows()
    facts = {"seed": seed, "seconds": round(seconds, 1), "steps": config["run"]["step"], "sentence": found["sentence"]}
    return facts | {"scores": found["scores"], "audit": audit, "cases": dict(cases), **about()}


def one(what: Set | None, data: Path, seed: int, peer: bool) -> dict[str, Any]:
    """One row of a set, of the peer on it, or of the stocks."""
    if what is None:
        return measure_stocks(data, seed)
    return measure_peer(what, data, seed) if peer else measure(what, data, seed)


def page(rows: dict[str, dict[str, Any]], code: str) -> str:
    """The table of the documentation: of every set and seed the row of these sources, else that of earlier ones, which it says."""
    lines = [
        "# Forecasts in practice",
        "",
        "Made by `python benchmarks/forecasting.py --data DIR`. Nothing is chosen on a",
    ]
    lines += ["test part. Median over seeds (lowest to highest); every forecast is judged on the same windows.", ""]
    for name in [*SETS, STOCKS]:
        of_set = {key: row for key, row in rows.items() if row["set"] == name and not row.get("peer")}
        peers = [row for row in rows.values() if row["set"] == name and row.get("peer")]
        ordered = sorted(of_set.items(), key=lambda pair: pair[0].endswith(code))  # those of these sources last
        earlier = sorted(
            {row["seed"] for _, row in ordered} - {row["seed"] for key, row in ordered if key.endswith(code)}
        )
        found = [row for _, row in sorted({row["seed"]: row for _, row in ordered}.items())]
        if not found:
            continue
        what = SETS.get(name)
        title = (
            what.about
            if what
            else "Direction of the next trading day, 88 stocks of the United States (StockNet's split)"
        )
        scores = what.scores if what else ("accuracy", "matthews")
        command = (
            f"forecast … --horizon {what.horizon} {' '.join(what.options)}"
            if what
            else f"classify … {' '.join(STOCK_OPTIONS)}"
        )
        seeds = ", ".join(str(r["seed"]) for r in found)
        which = "All" if len(earlier) == len(found) else f"Seeds {', '.join(map(str, earlier))}"
        dated = f" {which} measured with earlier sources, and not again since." if earlier else ""
        lines += [f"## {title}", "", f"`saiki train {command} --seed S`, seeds {seeds}.{dated}", ""]
        lines += ["| | " + " | ".join(scores) + " |", "|---|" + "---:|" * len(scores)]
        for who in found[0]["scores"]:
            cells = [_median([r["scores"][who][s] for r in found]) for s in scores]
            lines.append(f"| {who} | " + " | ".join(cells) + " |")
        if peers:
            cells = [_median([r["scores"][s] for r in peers]) for s in scores]
            lines.append(f"| {peers[0]['peer']}, {len(peers)} seed(s) | " + " | ".join(cells) + " |")
        facts = f"{statistics.median(r['seconds'] for r in found):.0f} s of training, {found[0]['machine']}, "
        facts += f"{found[0]['threads']} thread(s), torch {found[0]['torch']}, commit "
        facts += ", ".join(dict.fromkeys(row["commit"] for row in found))
        said = [what.known] if what and what.known else []
        if not what:
            said += [
                f"{sum(found[0]['cases'].values())} cases. The audit: {' '.join(found[0]['audit']) or 'no leak found'}"
            ]
            said += ["By memory of the literature, accuracy and MCC: LSTM 53.2 % and 0.067, Adv-ALSTM 57.2 % and 0.148"]
        lines += ["", ". ".join([*said, f"{_verdict(found)} {facts[0].upper()}{facts[1:]}."]), ""]
    return "\n".join(lines)


def _verdict(rows: list[dict[str, Any]]) -> str:
    """In how many of the seeds the model beat the best baseline, by the score that ranks."""
    won = sum("beats the best baseline" in row["sentence"] for row in rows)
    score = rows[0]["sentence"].split(": ")[1].split(" ")[0]
    return f"By {score} the model beats the best baseline of its windows in {won} of {len(rows)} seed(s)."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*SETS, STOCKS]
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=every, choices=every)
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--peer", action="store_true", help="train and judge the peer in place of saiki")
    parser.add_argument("--report", action="store_true", help="only write the page from the rows there are")
    given = parser.parse_args()
    if not given.report and given.data is None:
        parser.error("--data DIR is needed to measure")
    rows, code = Rows("forecasting"), code_hash(*CODE)
    for seed in [] if given.report else given.seeds:
        for name in given.only:
            what = SETS.get(name)
            if given.peer and (what is None or name.startswith("traffic")):
                continue
            hashed = file_hash(*(given.data / file for file in (what.files if what else (STOCK_FILE,))))
            options = f"--horizon {what.horizon} {' '.join(what.options)}" if what else " ".join(STOCK_OPTIONS)
            key = f"{name} {options} seed={seed} data={hashed} code={code}"
            if given.peer:  # which depends on none of our sources
                key = f"peer {name} seed={seed} data={hashed}"
            if key not in rows:
                rows.put(key, {"set": name} | one(what, given.data, seed, given.peer))
            print(name, "seed", seed, rows.rows[key].get("sentence", rows.rows[key]["scores"]), flush=True)
            PAGE.write_text(page(rows.rows, code))
    PAGE.write_text(page(rows.rows, code))


if __name__ == "__main__":
    main()
