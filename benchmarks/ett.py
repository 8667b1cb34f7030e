"""ETTh1 as the literature judges it: seven series, every window of the four test months, one row per horizon and seed.

    python benchmarks/ett.py --data DIR [--horizons 96 192 336 720] [--histories 96 336] [--seeds 1] [--report]

Split by months 12/4/4, values standardised by the mean and spread of the training months, look-back of 96 and of 336 hours, mean
squared error over all series and all windows (none dropped). Training sees the first 16 months, of which the last 4 only choose
the step to stop at. The look-back of 336 was chosen on the 4 validation months, from 96, 336 and 720. Rows stand in
benchmarks/results/ett.json under command, data and code; docs/quality_ett.md shows them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import polars as pl
from _rows import ROOT, Rows, about, code_hash, file_hash

import saiki

PAGE = ROOT / "docs" / "quality_ett.md"
CODE = [
    "native", "src/saiki/kernels", "src/saiki/cells/base.py", "src/saiki/cells/gru.py", "src/saiki/network", "src/saiki/training",
    "src/saiki/objectives", "src/saiki/data", "src/saiki/modalities/table.py", "src/saiki/fitting.py", "src/saiki/model.py",
    "src/saiki/tasks/_theta_share.py", "src/saiki/tasks/_backtest.py",
    *(f"src/saiki/tasks/{name}.py" for name in ("forecast", "_forecasting", "_sampling", "_plan", "_linear_share")),
]  # fmt: skip
TRAIN, VALID, TEST = 8640, 2880, 2880  # hours: 12, 4 and 4 months of 30 days
#: mean squared errors of SegRNN (Lin et al. 2023, arXiv 2308.11200) by look-back and horizon; those of look-back 720 are
#: quoted from memory, and its test loader dropped the last batch
KNOWN = {96: {96: 0.368, 192: 0.408, 336: 0.444, 720: 0.446}, 720: {96: 0.341, 192: 0.385, 336: 0.401, 720: 0.434}}
HORIZONS, HISTORIES = (96, 192, 336, 720), (96, 336)
OPTIONS: dict[str, Any] = {
    "season": 24, "scale": "last", "copies": 0, "calendar": False, "loss": "mae",
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


def measure(data: Path, horizon: int, history: int, seed: int) -> dict[str, Any]:
    """One row: train, then score every test window."""
    frame = table(data)
    known = frame.filter(pl.int_range(pl.len()).over("unique_id") < TRAIN + VALID)
    began = time.perf_counter()
    model = saiki.train("forecast", known, horizon=horizon, history=history, seed=seed, **OPTIONS)
    seconds = time.perf_counter() - began
    windows = TEST - horizon + 1
    found = model.evaluate(frame, windows=windows, step=1, baselines=["seasonal_naive"])
    scores = {name: {"mse": of["rmse"] ** 2, "mae": of["mae"]} for name, of in found.scores.items()}
    facts = {"horizon": horizon, "history": history, "seed": seed, "windows": windows, "scores": scores}
    return facts | {"seconds": round(seconds, 1), "steps": model.run["step"], **about()}


def page(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation: medians over the seeds."""
    lines = [
        "# ETTh1",
        "",
        "Made by `python benchmarks/ett.py --data DIR`; one row alone: `--horizons 96 --histories 336 --seeds 1`. Seven series of",
        "an electricity transformer, standardised by the training months; mean squared error over every window of the four test",
        "months. Medians over the seeds (lowest to highest). Nothing was chosen on the test part.",
        "",
        "| look-back | horizon | MSE | MAE | seeds | seasonal naive | SegRNN, same look-back | SegRNN, 720 | minutes |",
        "|---:|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for history in HISTORIES:
        for horizon in HORIZONS:
            found = [r for r in rows if (r["history"], r["horizon"]) == (history, horizon)]
            if not found:
                continue
            mse, mae = (sorted(r["scores"]["saiki"][name] for r in found) for name in ("mse", "mae"))
            theirs = [f"{KNOWN[h][horizon]:.3f}" if h in KNOWN else "" for h in (history, 720)]
            cells = [
                str(history),
                str(horizon),
                f"{statistics.median(mse):.4f} ({mse[0]:.4f} to {mse[-1]:.4f})",
                f"{statistics.median(mae):.4f}",
                ", ".join(str(r["seed"]) for r in sorted(found, key=lambda r: r["seed"])),
                f"{found[0]['scores']['seasonal_naive']['mse']:.4f}",
                *theirs,
                f"{statistics.median(r['seconds'] for r in found) / 60:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    machines = sorted(
        {f"{r['machine']}, torch {r['torch']}, {r['threads']} threads, commit {r['commit']}" for r in rows}
    )
    options = " ".join(f"{name}={value!r}" for name, value in OPTIONS.items())
    lines += [
        "",
        f"Options: `{options}`. SegRNN is quoted from Lin et al. 2023, look-back 720 from memory; its test loader dropped the last",
        f"batch there. Measured on: {'; '.join(machines)}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--horizons", nargs="*", type=int, default=list(HORIZONS))
    parser.add_argument("--histories", nargs="*", type=int, default=list(HISTORIES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--report", action="store_true", help="only write docs/quality_ett.md from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("ett"), code_hash(*CODE)
    if not given.report and given.data is None:
        parser.error("--data DIR is needed to measure")
    for seed in given.seeds if given.data else []:
        hashed = file_hash(given.data / "forecasting/etth1/ETTh1.csv")
        for history in given.histories:
            for horizon in given.horizons:
                key = f"etth1 horizon={horizon} history={history} {OPTIONS} seed={seed} data={hashed} code={code}"
                if key not in rows and not given.report:
                    rows.put(key, measure(given.data, horizon, history, seed))
                    print(horizon, history, seed, rows.rows[key]["scores"], flush=True)
    newest = {(r["history"], r["horizon"], r["seed"]): r for r in rows.rows.values() if "history" in r}
    PAGE.write_text(page(list(newest.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
