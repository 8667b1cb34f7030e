"""ETTh1 as the literature judges it: seven series, every window of the four test months, one row per horizon and seed.

    python benchmarks/ett.py --data DIR [--horizons 96 192 336 720] [--seeds 1] [--report]

Split by months 12/4/4, values standardised by the mean and spread of the training months, look-back 96, mean squared error over
all series and all windows (none dropped). Training sees the first 16 months, of which the last 4 only choose the step to stop
at. Rows stand in benchmarks/results/ett.json under command, data and code.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import polars as pl
from _rows import Rows, about, code_hash, file_hash

import saiki

CODE = ["native", "src/saiki/tasks", "src/saiki/network", "src/saiki/training", "src/saiki/data", "src/saiki/modalities",
        "src/saiki/cells/base.py", "src/saiki/cells/gru.py", "src/saiki/objectives", "src/saiki/kernels",
        "src/saiki/model.py"]  # fmt: skip
TRAIN, VALID, TEST = 8640, 2880, 2880  # hours: 12, 4 and 4 months of 30 days
#: of SegRNN with look-back 96 (Lin et al. 2023, arXiv 2308.11200), as its authors give it
KNOWN = {96: 0.368, 192: 0.408, 336: 0.444, 720: 0.446}
OPTIONS: dict[str, Any] = {
    "history": 96, "season": 24, "scale": "last", "copies": 0, "calendar": False, "loss": "mae",
    "width": 256, "layers": 1, "learning_rate": 3e-3, "validate_steps": VALID, "refit": False, "steps": 800,
    "static": ["channel"],
}  # fmt: skip


def table(data: Path) -> pl.DataFrame:
    """The standardised values in long form, up to the end of the test months; `channel` tells the network the series."""
    frame = pl.read_csv(data / "forecasting/etth1/ETTh1.csv", try_parse_dates=True)[: TRAIN + VALID + TEST]
    names = frame.columns[1:]
    known = frame[:TRAIN]
    mean, spread = known.select(names).mean().row(0), known.select(pl.col(names).std(ddof=0)).row(0)
    scaled = [(pl.col(n) - m) / s for n, m, s in zip(names, mean, spread, strict=True)]
    long = frame.with_columns(scaled).unpivot(index="date", on=names, variable_name="unique_id", value_name="y")
    return long.rename({"date": "ds"}).with_columns(channel=pl.col("unique_id"))


def measure(data: Path, horizon: int, seed: int) -> dict[str, Any]:
    """One row: train, then score every test window."""
    frame = table(data)
    known = frame.filter(pl.int_range(pl.len()).over("unique_id") < TRAIN + VALID)
    began = time.perf_counter()
    model = saiki.train("forecast", known, horizon=horizon, seed=seed, **OPTIONS)
    seconds = time.perf_counter() - began
    windows = TEST - horizon + 1
    found = model.evaluate(frame, windows=windows, step=1, baselines=["seasonal_naive"])
    scores = {name: {"mse": of["rmse"] ** 2, "mae": of["mae"]} for name, of in found.scores.items()}
    facts = {"horizon": horizon, "seed": seed, "windows": windows, "scores": scores, "known": KNOWN.get(horizon)}
    return facts | {"seconds": round(seconds, 1), "steps": model.run["step"], **about()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--horizons", nargs="*", type=int, default=list(KNOWN))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--report", action="store_true", help="only print the rows there are")
    given = parser.parse_args()
    rows, code = Rows("ett"), code_hash(*CODE)
    hashed = file_hash(given.data / "forecasting/etth1/ETTh1.csv")
    for horizon in given.horizons:
        for seed in given.seeds:
            key = f"etth1 horizon={horizon} {OPTIONS} seed={seed} data={hashed} code={code}"
            if key not in rows and not given.report:
                rows.put(key, measure(given.data, horizon, seed))
                print(rows.rows[key]["scores"], flush=True)
    for horizon in given.horizons:
        found = [r for r in rows.rows.values() if r["horizon"] == horizon]
        if found:
            ours = statistics.median(r["scores"]["saiki"]["mse"] for r in found)
            theirs = found[0]["scores"]["seasonal_naive"]["mse"]
            text = f"horizon {horizon}: MSE {ours:.4f} (seasonal naive {theirs:.4f}, SegRNN {found[0]['known']})"
            print(f"{text}, {len(found)} seeds, {statistics.median(r['seconds'] for r in found):.0f} s")


if __name__ == "__main__":
    main()
