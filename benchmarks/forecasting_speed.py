"""How soon a forecast is good, and how fast a step of training is, beside the neural peer (see _neural.py), in one run.

    python benchmarks/forecasting_speed.py --data DIR [--report]

Two questions, on M4 Hourly (414 series, 48 hours ahead):

- seconds from the command to a saved model whose OWA on the test part is 0.50 or less, for growing `--minutes`, and the
  seconds and the OWA of the peer with its defaults at 500 steps;
- steps of training per second of the same network in both: two GRU layers over 144 single hours, absolute error, Adam, from
  32 units and windows up to the peer's default of 200 units and 128 windows. Each library trains through its own front door;
  start-up is taken out by the difference of a longer and a shorter run, in turns, medians.

The peer is not among the extras: `pip install neuralforecast==3.3.0`. Rows stand in benchmarks/results/forecasting_speed.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import CODE, saiki

PAGE = ROOT / "docs" / "speed_forecasting.md"
FILES = [f"forecasting/m4-hourly/{part}.parquet" for part in ("train", "test")]
HORIZON, ENOUGH, PEER_STEPS = 48, 0.50, 500
MINUTES = (0.15, 0.25, 0.4, 0.6, 1.0, 2.0)
#: the network that both train
WINDOW, LAYERS = 144, 2
#: its units, the windows of a step, and the steps of the longer run; the last one is the peer's default
SIZES = ((32, 32, 210), (64, 32, 160), (64, 128, 110), (128, 128, 60), (200, 128, 50))
SHORT, TURNS = 10, 5


def soon(data: Path) -> dict[str, Any]:
    """The first of `MINUTES` that is enough, as a process of its own, start-up and saving included."""
    train, test = (str(data / file) for file in FILES)
    tried = []
    for minutes in MINUTES:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            asked = ["--horizon", str(HORIZON), "--minutes", str(minutes), "--seed", "1"]
            saiki("train", "forecast", train, *asked, "--out", f"{folder}/model", "--quiet")
            seconds = time.perf_counter() - began
            found = json.loads(saiki("evaluate", f"{folder}/model", test, "--history", train, "--json"))["scores"]
        tried.append({"minutes": minutes, "seconds": round(seconds, 1), "owa": round(found["saiki"]["owa"], 4)})
        if found["saiki"]["owa"] <= ENOUGH:
            break
    return {"tried": tried, "seasonal_naive": round(found["seasonal_naive"]["owa"], 4)}


def peer_soon(data: Path) -> dict[str, Any]:
    """The peer with its defaults at 500 steps: seconds of its training alone, and its OWA."""
    from saiki import baselines, metrics
    from saiki.data.panel import panel

    train, test = (pl.read_parquet(data / file) for file in FILES)
    model, seconds = _peer(train, PEER_STEPS)
    known = panel(train, target="y", season=24)

    def ordered(rows: pl.DataFrame, column: str) -> np.ndarray:
        series = rows.sort("ds").group_by("unique_id").agg(column)
        of_id = dict(series.iter_rows())
        return np.array([of_id[name] for name in known.ids])

    found = {"peer": ordered(pl.from_pandas(model.predict()), "GRU")}
    found |= baselines.all_forecasts(known, HORIZON, 24, ["naive2"])
    scores = metrics.forecast_scores(found, ordered(test, "y"), known, 24, ())
    return {"seconds": round(seconds, 1), "steps": PEER_STEPS, "owa": round(scores["peer"]["owa"], 4)}


def _peer(train: pl.DataFrame, steps: int, **given: Any) -> tuple[Any, float]:
    """The peer, trained on the table; seconds of `fit`."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import GRU

    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "logger", "enable_checkpointing"), False)
    own = GRU(h=HORIZON, max_steps=steps, accelerator="cpu", random_seed=1, **quiet, **given)
    model = NeuralForecast([own], freq=1)
    began = time.perf_counter()
    model.fit(train.select("unique_id", "ds", "y").to_pandas())
    return model, time.perf_counter() - began


def pace(data: Path, units: int, batch: int, long: int) -> dict[str, Any]:
    """Steps per second of the same network in both libraries, in turns."""
    train = pl.read_parquet(data / FILES[0])
    pairs = [
        tuple(
            (long - SHORT) / (run(train, long, units, batch) - run(train, SHORT, units, batch))
            for run in (_ours, _theirs)
        )
        for _ in range(TURNS)
    ]
    ratios = [mine / theirs for mine, theirs in pairs]
    mine, theirs = (round(statistics.median(values), 2) for values in zip(*pairs, strict=True))
    return {"units": units, "batch": batch, "ours": mine, "peer": theirs, "lowest": round(min(ratios), 2),
            "ratio": round(statistics.median(ratios), 2)}  # fmt: skip


def _theirs(train: pl.DataFrame, steps: int, units: int, batch: int) -> float:
    sizes = {"encoder_hidden_size": units, "encoder_n_layers": LAYERS, "windows_batch_size": batch}
    return _peer(train, steps, input_size=WINDOW, **sizes)[1]


def _ours(train: pl.DataFrame, steps: int, units: int, batch: int) -> float:
    import saiki

    sizes = {"history": WINDOW, "patch": 1, "forks": 1, "copies": 0, "width": units, "layers": LAYERS, "batch": batch}
    plain = {"calendar": False, "loss": "mae", "residual": False, "holdout": "none", "validations": 1}
    began = time.perf_counter()
    saiki.train("forecast", train, horizon=HORIZON, season=24, steps=steps, **sizes, **plain)
    return time.perf_counter() - began


PACES = {f"pace-{units}-{batch}": partial(pace, units=units, batch=batch, long=long) for units, batch, long in SIZES}
QUESTIONS: dict[str, Callable[[Path], dict[str, Any]]] = {"soon": soon, "peer": peer_soon} | PACES


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The documentation's page, of the rows there are."""
    by = {row["question"]: row for row in rows.values()}
    lines = [
        "# How soon a forecast is good",
        "",
        "Made by `python benchmarks/forecasting_speed.py --data DIR`. M4 Hourly,",
    ]
    lines += [
        "414 series, 48 hours ahead, OWA on the competition's test part; the peer is neuralforecast 3.3's GRU.",
        "",
    ]
    if "soon" in by:
        row = by["soon"]
        lines += [
            f"`saiki train forecast … --horizon {HORIZON} --minutes M`, seed 1, the whole command timed; the seasonal"
        ]
        lines += [
            f"naive forecast has {row['seasonal_naive']:.3f}.",
            "",
            "| minutes | seconds | OWA |",
            "|---:|---:|---:|",
        ]
        lines += [f"| {one['minutes']} | {one['seconds']} | {one['owa']:.3f} |" for one in row["tried"]]
        lines += [""]
    if "peer" in by:
        row = by["peer"]
        lines += [f"The peer with its defaults, {row['steps']} steps: {row['seconds']} s, OWA {row['owa']:.3f}.", ""]
    lines += [_about(by[name]) for name in ("soon", "peer") if name in by][:1]
    if sizes := [by[name] for name in PACES if name in by]:
        lines += [
            f"Steps of training per second of the same network, {LAYERS} GRU layers over {WINDOW} single hours",
            f"(median of {TURNS} turns; asked: four times):",
            "",
            "| units | windows a step | saiki | the peer | times as many | lowest turn | threads | commit |",
            "|---:|---:|---:|---:|---:|---:|---:|---|",
        ]
        columns = ("units", "batch", "ours", "peer", "ratio", "lowest", "threads", "commit")
        lines += ["| " + " | ".join(str(one[name]) for name in columns) + " |" for one in sizes]
        mean = statistics.geometric_mean(one["ratio"] for one in sizes)
        lines += [
            "",
            f"Geometric mean: {mean:.2f}. With the peer's default of 200 units and 128 windows torch's products are near what",
            "the processor can do; the default of saiki is faster to a good forecast because it reads days, not hours.",
            f"Measured on {', '.join(sorted({one['machine'] for one in sizes}))}.",
            "",
        ]
    return "\n".join(lines)


def _about(row: dict[str, Any]) -> str:
    return f"{row['machine']}, {row['threads']} thread(s), torch {row['torch']}, commit {row['commit']}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=list(QUESTIONS), choices=list(QUESTIONS))
    parser.add_argument("--report", action="store_true", help="only write the page from the rows there are")
    given = parser.parse_args()
    if not given.report and given.data is None:
        parser.error("--data DIR is needed to measure")
    rows, code = Rows("forecasting_speed"), code_hash(*CODE)
    for name in [] if given.report else given.only:
        key = f"{name} data={file_hash(*(given.data / file for file in FILES))} code={code}"
        if key not in rows:
            rows.put(key, {"question": name} | QUESTIONS[name](given.data) | about())
        print(name, {k: v for k, v in rows.rows[key].items() if k not in about()}, flush=True)
    PAGE.write_text(page(rows.rows))


if __name__ == "__main__":
    main()
