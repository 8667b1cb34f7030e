"""Whether intervals cover what they promise, and how wide they are: on planted data, on M4 Hourly, and on ETTh1, which drifts.

    python benchmarks/intervals.py --data DIR [--only planted] [--seeds 1 2 3] [--report]

DIR holds the public data sets; the planted data are made here. Each row is `saiki train`, then `saiki evaluate`, as processes of
their own. Rows stand in benchmarks/results/intervals.json under command, data and code; docs/intervals.md shows them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import CODE, saiki

PAGE = ROOT / "docs" / "intervals.md"
LEVELS = ("80", "95")
#: hours of ETTh1 for training and validation together, and for the test: 16 months and 4 of 30 days
KNOWN, TEST = 11_520, 2_880


@dataclass(frozen=True)
class Set:
    """What is forecast, how it is asked for, and what is judged."""

    about: str
    files: tuple[str, ...]
    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    units: str


SETS = {
    "planted": Set(
        "Planted: 600 series, a known season and exchangeable normal noise of spread 1, the next season of 12 steps",
        (),
        ("--horizon", "12", "--season", "12", "--steps", "300"),
        (),
        "widths of the true intervals: 2.563 and 3.920",
    ),
    "m4-hourly": Set(
        "M4 Hourly, 414 series, 48 hours ahead, the competition's own test part",
        ("forecasting/m4-hourly/train.parquet", "forecasting/m4-hourly/test.parquet"),
        ("--horizon", "48", "--minutes", "4"),
        (),
        "widths in units of every series' data, averaged",
    ),
    "etth1": Set(
        "ETTh1, seven series, the next day from every midnight of the four test months",
        ("forecasting/etth1/ETTh1.csv",),
        ("--horizon", "24", "--minutes", "2", "--no-refit"),
        ("--windows", str(TEST // 24), "--step", "24", "--adaptive"),
        "widths in the data's units, averaged over the seven series",
    ),
}  # fmt: skip


def parts(name: str, data: Path, folder: Path, seed: int) -> tuple[list[str], list[str]]:
    """The file to train on as arguments, and those to judge."""
    if name == "m4-hourly":
        train, test = (str(data / file) for file in SETS[name].files)
        return [train], [test, "--history", train]
    if name == "planted":
        rng, t = np.random.default_rng(seed), np.arange(108)
        y = 20 + 5 * np.sin(2 * np.pi * t / 12) + rng.normal(size=(600, 108))
        whole = pl.DataFrame({"unique_id": np.repeat(np.arange(600), 108), "ds": np.tile(t, 600), "y": y.ravel()})
        known = whole.filter(pl.col("ds") < 96)
    else:
        frame = pl.read_csv(data / SETS[name].files[0], try_parse_dates=True)[: KNOWN + TEST]
        whole = frame.unpivot(index="date", variable_name="unique_id", value_name="y").rename({"date": "ds"})
        known = whole.filter(pl.int_range(pl.len()).over("unique_id") < KNOWN)
    files = [str(folder / f"{part}.parquet") for part in ("known", "whole")]
    for table, file in zip((known, whole), files, strict=True):
        table.write_parquet(file)
    return [files[0]], [files[1]]


def measure(name: str, data: Path, seed: int) -> dict[str, Any]:
    """One row: train, then judge the intervals."""
    what = SETS[name]
    with tempfile.TemporaryDirectory() as place:
        train, judged = parts(name, data, Path(place), seed)
        model, began = f"{place}/model", time.perf_counter()
        saiki("train", "forecast", *train, *what.train, "--seed", str(seed), "--out", model, "--quiet")
        seconds = time.perf_counter() - began
        asked = ("--level", *LEVELS, *what.evaluate, "--baselines", "seasonal_naive", "--json")
        found = json.loads(saiki("evaluate", model, *judged, *asked))
    ours = found["scores"]["saiki"]
    once = {level: {k: ours[f"{k}-{level}"] for k in ("coverage", "width")} for level in LEVELS}
    rows = [row for row in found.get("details", {}).get("adaptive", ()) if row["intervals"] == "adaptive"]
    adaptive = {f"{row['level']:g}": {k: row[k] for k in ("coverage", "width")} for row in rows}
    return {"set": name, "seed": seed, "seconds": round(seconds, 1), "once": once, "adaptive": adaptive, **about()}


def page(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation: medians over the seeds, lowest to highest."""
    lines = [
        "# Intervals",
        "",
        "Made by `python benchmarks/intervals.py --data DIR`. Split-conformal intervals of the levels 80 and 95 %, calibrated on",
    ]
    lines += [
        "windows held out in training; adaptive ones move on from cutoff to cutoff. Medians over the seeds (lowest to highest)."
    ]
    for name, how in SETS.items():
        found = sorted((r for r in rows if r["set"] == name), key=lambda r: r["seed"])
        if not found:
            continue
        seeds = ", ".join(str(r["seed"]) for r in found)
        lines += ["", f"## {how.about}", ""]
        lines += [f"`saiki train forecast … {' '.join(how.train)} --seed S`, then"]
        lines += [f"`saiki evaluate … {' '.join(('--level', *LEVELS, *how.evaluate))}`; seeds {seeds}.", ""]
        lines += ["| intervals | level | coverage | width |", "|---|---:|---:|---:|"]
        for kind, key in (("calibrated once", "once"), ("adaptive", "adaptive")):
            for level in LEVELS if all(r[key] for r in found) else ():
                cells = [_median([r[key][level][score] for r in found]) for score in ("coverage", "width")]
                lines.append(f"| {kind} | {level} % | {' | '.join(cells)} |")
        told = dict.fromkeys(
            f"{r['machine']}, {r['threads']} thread(s), torch {r['torch']}, commit {r['commit']}" for r in found
        )
        notes = "".join(f" {note}" for note in dict.fromkeys(r["note"] for r in found if "note" in r))
        lines += ["", f"{how.units[0].upper()}{how.units[1:]}. {'; '.join(told)}.{notes}"]
    return "\n".join([*lines, ""])


def _median(values: list[float]) -> str:
    low, middle, high = (f"{v:.4g}" for v in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--report", action="store_true", help="only write docs/intervals.md from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("intervals"), code_hash(*CODE, "src/saiki/tasks/_adaptive.py")
    if not given.report and given.data is None:
        parser.error("--data DIR is needed to measure")
    for name in [] if given.report else given.only:
        what = SETS[name]
        hashed = file_hash(*(given.data / file for file in what.files))
        for seed in given.seeds:
            key = f"{name} {' '.join((*what.train, *what.evaluate))} seed={seed} data={hashed} code={code}"
            if key not in rows:
                rows.put(key, measure(name, given.data, seed))
                print(name, seed, rows.rows[key]["once"], rows.rows[key]["adaptive"], flush=True)
    newest = {(r["set"], r["seed"]): r for r in rows.rows.values()}
    PAGE.write_text(page(list(newest.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
