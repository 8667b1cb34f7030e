"""Accuracy on real data sets, as a user would reach it: one command per row, several seeds, baselines beside it.

    python benchmarks/quality.py --data DIR [--only m4-hourly] [--seeds 1 2 3] [--report]

DIR holds the public data sets. Each row is `saiki train`, then `saiki evaluate` on the whole test part, as processes of their own.
Rows stand in benchmarks/results/quality.json under command, data and code; docs/quality.md shows them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _rows import ROOT, Rows, about, code_hash, file_hash

PAGE = ROOT / "docs" / "quality.md"
#: what a score depends on; the command line and the reports do not
TASKS = ["forecast", "_forecasting", "_forecast_scores", "_forecast_columns", "_sampling", "_plan", "_linear_share", "_theta_share",
         "_calibration",
         "_backtest", "_task", "classify", "_classifying", "_labelling", "_label_problem", "_label_sets"]  # fmt: skip
CODE = ["native", *(f"src/saiki/tasks/{name}.py" for name in TASKS), "src/saiki/baselines/theta.py",
        "src/saiki/network", "src/saiki/training", "src/saiki/data", "src/saiki/modalities",
        "src/saiki/cells/base.py", "src/saiki/cells/gru.py", "src/saiki/objectives", "src/saiki/kernels",
        "src/saiki/fitting.py", "src/saiki/model.py"]  # fmt: skip
SETS: dict[str, dict[str, Any]] = {
    "m4-hourly": {
        "about": "M4 Hourly, 414 series, 48 hours ahead, the competition's own test part and OWA",
        "train": "forecasting/m4-hourly/train.parquet",
        "test": "forecasting/m4-hourly/test.parquet",
        "options": ["--horizon", "48", "--minutes", "4"],
        "scores": ["owa", "smape", "mase"],
        "known": "winner of the competition (ES-RNN, Smyl 2020): OWA 0.440",
    },
}


def saiki(*arguments: str) -> str:
    """Run the command line as a process of its own and give what it prints."""
    command = [sys.executable, "-c", "from saiki.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"saiki {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def measure(name: str, data: Path, seed: int) -> dict[str, Any]:
    """One row: train, then score on the test part."""
    what = SETS[name]
    train, test = str(data / what["train"]), str(data / what["test"])
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model"
        began = time.perf_counter()
        saiki("train", "forecast", train, *what["options"], "--seed", str(seed), "--out", model, "--quiet")
        seconds = time.perf_counter() - began
        scores = json.loads(saiki("evaluate", model, test, "--history", train, "--json"))["scores"]
        steps = json.loads(Path(model, "config.json").read_text())["run"]["step"]
    return {"set": name, "seed": seed, "seconds": round(seconds, 1), "steps": steps, "scores": scores, **about()}


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The table of the documentation."""
    lines = [
        "# Accuracy",
        "",
        "Made by `python benchmarks/quality.py --data DIR`. Nothing is chosen on the test part.",
        "",
    ]
    for name, what in SETS.items():
        found = [r for r in rows.values() if r["set"] == name]
        if not found:
            continue
        seeds = ", ".join(str(r["seed"]) for r in found)
        lines += [
            f"## {what['about']}",
            "",
            f"`saiki train forecast … {' '.join(what['options'])} --seed S`, seeds {seeds}.",
            "",
        ]
        lines += ["| forecast | " + " | ".join(what["scores"]) + " |", "|---|" + "---:|" * len(what["scores"])]
        for forecast in found[0]["scores"]:
            cells = [_median([r["scores"][forecast][s] for r in found]) for s in what["scores"]]
            lines.append(f"| {forecast} | " + " | ".join(cells) + " |")
        seconds = statistics.median(r["seconds"] for r in found)
        first = found[0]
        facts = f"{first['machine']}, {first['threads']} thread(s), torch {first['torch']}, commit {first['commit']}"
        if "note" in first:
            facts += f"; {first['note']}"
        lines += [
            "",
            f"Median (lowest to highest). {what['known']}. Training took {seconds:.0f} s, start-up included; {facts}.",
            "",
        ]
    return "\n".join(lines)


def _median(values: list[float]) -> str:
    middle = f"{statistics.median(values):.3f}"
    return middle if max(values) - min(values) < 5e-4 else f"{middle} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--report", action="store_true", help="only write docs/quality.md from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("quality"), code_hash(*CODE)
    if not given.report and given.data is None:
        parser.error("--data DIR is needed to measure")
    for name in [] if given.report else given.only:
        what = SETS[name]
        hashed = file_hash(given.data / what["train"], given.data / what["test"])
        for seed in given.seeds:
            key = f"{name} {' '.join(what['options'])} seed={seed} data={hashed} code={code}"
            if key not in rows:
                rows.put(key, measure(name, given.data, seed))
            ours = rows.rows[key]["scores"]["saiki"]
            print(name, "seed", seed, {s: round(ours[s], 4) for s in what["scores"]}, flush=True)
    shown = {key: row for key, row in rows.rows.items() if key.endswith(f"code={code}")}
    PAGE.write_text(page(shown or rows.rows))


if __name__ == "__main__":
    main()
