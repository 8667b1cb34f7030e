"""Time and peak memory of whole commands on many long series: `saiki train forecast`, `predict`, and `evaluate`.

    python benchmarks/memory.py [--series 1000 10000 100000] [--steps 500]

The series are made here: a week's rhythm, a level of their own, noise; a Parquet file in long format, written in parts. Each
command is a process of its own, whose largest resident memory and wall-clock time are one row of
benchmarks/results/memory.json, under command, data and code; docs/memory.md shows them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _rows import ROOT, Rows, about, code_hash

PAGE = ROOT / "docs" / "memory.md"
#: what most of the memory and of the time beside training depend on
CODE = [
    "src/saiki/readers",
    "src/saiki/data",
    "src/saiki/baselines",
    "src/saiki/metrics",
    "src/saiki/tasks/_forecast_columns.py",
]
TOGETHER = 5000  # series written at once
LIMIT = 8.0  # gigabytes that the largest case may take
SAIKI = [sys.executable, "-c", "from saiki.cli import main; main()"]
COLUMNS = ["--id", "id", "--time", "time", "--target", "value"]


def write(path: Path, series: int, steps: int) -> None:
    """A Parquet file of that many series."""
    rng, day, writer = np.random.default_rng(0), np.arange(steps), None
    for first in range(0, series, TOGETHER):
        some = min(TOGETHER, series - first)
        week = np.sin(2 * np.pi * (day / 7 + rng.random((some, 1))))
        values = 100 * rng.lognormal(size=(some, 1)) * (1 + 0.3 * week + 0.05 * rng.normal(size=(some, steps)))
        names = [f"s{number:06d}" for number in range(first, first + some)]
        columns = {"id": np.repeat(names, steps), "time": np.tile(np.datetime64("2024-01-01", "D") + day, some)}
        table = pa.table(columns | {"value": values.ravel().astype(np.float32)})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def run(words: list[str]) -> dict[str, Any]:
    """Seconds and peak gigabytes of one command."""
    began = time.perf_counter()
    process = subprocess.Popen([*SAIKI, *words, "--quiet"], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"saiki {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return {"seconds": round(time.perf_counter() - began, 1), "gigabytes": round(used.ru_maxrss * unit / 1e9, 2)}


def measure(series: int, steps: int, minutes: float) -> dict[str, Any]:
    """One row: the three commands, one after the other."""
    with tempfile.TemporaryDirectory() as place:
        file, model = Path(place, "series.parquet"), str(Path(place, "model"))
        write(file, series, steps)
        megabytes = round(file.stat().st_size / 1e6)
        found = {
            "train": run(
                ["train", "forecast", str(file), *COLUMNS, "--horizon", "28", "--minutes", str(minutes), "--out", model]
            ),
            "predict": run(["predict", model, str(file), "--out", str(Path(place, "forecast.csv"))]),
            "evaluate": run(["evaluate", model, str(file)]),
        }
    return {"series": series, "steps": steps, "megabytes": megabytes, "minutes": minutes, "commands": found, **about()}


def page(rows: list[dict[str, Any]]) -> str:
    """The page of the documentation."""
    lines = [
        "# Many series: time and memory",
        "",
        f"Made by `python benchmarks/memory.py`. The goal: 100,000 series of 500 steps within {LIMIT:g} GB.",
        "Seconds are of the whole command: start-up, reading, baselines and scores included. Other programs shared",
        "the machine, so seconds are upper bounds; memory does not depend on that.",
        "",
        "| series × steps | Parquet | command | seconds | peak memory |",
        "|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda r: r["series"] * r["steps"]):
        for name in ("train", "predict", "evaluate"):
            found = row["commands"][name]
            told = f"`train --minutes {row['minutes']:g}`" if name == "train" else f"`{name}`"
            size = f"{row['series']:,} × {row['steps']}"
            lines.append(
                f"| {size} | {row['megabytes']} MB | {told} | {found['seconds']:.0f} | {found['gigabytes']:.2f} GB |"
            )
    machines = {f"{r['machine']}, {r['threads']} thread(s), commit {r['commit']}" for r in rows if "threads" in r}
    return "\n".join([*lines, "", "; ".join(sorted(machines)), ""]).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=2.0)
    given = parser.parse_args()
    rows, code = Rows("memory"), code_hash(*CODE)
    for series in given.series:
        key = f"{series}x{given.steps} minutes={given.minutes:g} code={code}"
        if key not in rows:
            rows.put(key, measure(series, given.steps, given.minutes))
    newest = {(row["series"], row["steps"], row["minutes"]): row for row in rows.rows.values()}
    PAGE.write_text(page(list(newest.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
