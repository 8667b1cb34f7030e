"""Known answers: tasks whose outcome the literature knows, one command per row, several seeds.

    python benchmarks/known.py --data DIR [--only adding-gru digits-rows] [--seeds 1 2 3] [--report]

DIR holds the public data sets. Rows stand in benchmarks/results/known.json under command, data and code, so that a run can be
stopped and goes on where it was; docs/known.md shows them. Recipes were chosen on validation parts, never on a test part.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import _known
from _rows import ROOT, Rows, about, code_hash, file_hash

PAGE = ROOT / "docs" / "known.md"
#: what a score depends on
CODE = ["native", "src/saiki/cells", "src/saiki/kernels", "src/saiki/network", "src/saiki/nn.py", "src/saiki/training"]


class Known(NamedTuple):
    """A row: what is measured, by what, the figure to meet, and what is known elsewhere."""

    about: str
    measure: Callable[[Path, int], float]
    unit: str
    meets: Callable[[float], bool] | None
    figure: str
    files: tuple[str, ...] = ()


KNOWN = {
    "digits-rows": Known(
        "digits of scikit-learn row by row, random 80/20, GRU",
        lambda data, seed: _known.digits(seed, "rows", "random"),
        "accuracy",
        lambda v: v >= 0.985,
        "at least 0.985",
    ),
    "digits-rows-writers": Known(
        "the same, first 1000 against the rest: other writers",
        lambda data, seed: _known.digits(seed, "rows", "writers"),
        "accuracy",
        lambda v: v >= 0.95,
        "at least 0.95",
    ),
    "digits-pixels": Known(
        "digits pixel by pixel, 64 steps, random 80/20, GRU",
        lambda data, seed: _known.digits(seed, "pixels", "random"),
        "accuracy",
        lambda v: v > 0.9,
        "above 0.9",
    ),
    "jsb-chorales": Known(
        "JSB Chorales, negative log-likelihood per frame (nats, summed over 88 notes), test part",
        _known.chorales,
        "nats",
        lambda v: v <= 8.45,
        "at most 8.45 (aim 8.1)",
        ("music/jsb-chorales/JSB_Chorales.mat",),
    ),
    "adding-gru": Known(
        "adding problem, 600 steps, GRU",
        lambda data, seed: _known.adding(seed, "gru", 6000),
        "mean squared error",
        lambda v: v < 1e-3,
        "below 0.001",
    ),
    "adding-lstm-chrono": Known(
        "adding problem, 600 steps, LSTM with chrono initialisation",
        lambda data, seed: _known.adding(seed, "lstm", 6000, chrono=600),
        "mean squared error",
        lambda v: v < 1e-3,
        "below 0.001",
    ),
    "adding-elman": Known(
        "adding problem, 600 steps, plain RNN: stays at the baseline",
        lambda data, seed: _known.adding(seed, "elman", 3000),
        "mean squared error",
        lambda v: v > 0.15,
        "stays at the baseline, 0.167",
    ),
    "copy-gru": Known(
        "copy memory, 500 steps of waiting, GRU with chrono initialisation",
        lambda data, seed: _known.copying(seed, "gru", 3000, chrono=520),
        "nats per step",
        lambda v: v < 0.95 * _known.COPY_BASELINE,
        f"5 % below the memoryless {_known.COPY_BASELINE:.4f}",
    ),
    "copy-lstm-chrono": Known(
        "copy memory, 500 steps of waiting, LSTM with chrono initialisation",
        lambda data, seed: _known.copying(seed, "lstm", 3000, chrono=520),
        "nats per step",
        lambda v: v < 0.95 * _known.COPY_BASELINE,
        f"5 % below the memoryless {_known.COPY_BASELINE:.4f}",
    ),
    "characters-rhn-1": Known(
        "Tiny Shakespeare by characters, recurrent highway network of depth 1, last 10 % held out",
        lambda data, seed: _known.characters(data, seed, depth=1),
        "nats per character",
        None,
        "beside depth 4",
        ("text/tiny-shakespeare/input.txt",),
    ),
    "characters-rhn-4": Known(
        "the same, depth 4 at as many parameters",
        lambda data, seed: _known.characters(data, seed, depth=4),
        "nats per character",
        None,
        "beside depth 1",
        ("text/tiny-shakespeare/input.txt",),
    ),
}


def measure(rows: Rows, name: str, data: Path, seed: int) -> None:
    """One row, unless it is there already."""
    known = KNOWN[name]
    if missing := [f for f in known.files if not (data / f).exists()]:
        raise SystemExit(f"{name}: {data / missing[0]} is missing; --data is the folder of the public data sets")
    command = f"python benchmarks/known.py --data DIR --only {name} --seeds {seed}"
    code = code_hash(*CODE, "benchmarks/_known.py")
    key = f"{command} | {file_hash(*(data / f for f in known.files))} | {code}"
    if key in rows:
        return
    began = time.perf_counter()
    score = known.measure(data, seed)
    seconds = round(time.perf_counter() - began, 1)
    rows = Rows("known")  # others may have written meanwhile
    rows.put(key, {"name": name, "seed": seed, "score": score, "seconds": seconds, **about()})
    print(f"{name} seed {seed}: {score:.5g} {known.unit} in {seconds} s", flush=True)


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The table of the documentation: the median of the newest rows of every seed."""
    lines = [
        "# Known answers",
        "",
        "Made by `python benchmarks/known.py --data DIR`; one row alone: `--only NAME`. Recipes stand in `benchmarks/_known.py`.",
        "Medians, and the range over the seeds. What was not reached, or not run, is in the table too.",
        "",
        "| name | what | seeds | median | range | asked | reached |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, known in KNOWN.items():
        found = {row["seed"]: row["score"] for row in rows.values() if row["name"] == name}
        if not found:
            lines.append(f"| `{name}` | {known.about} | – | not run | | {known.figure} | |")
            continue
        scores, middle = list(found.values()), statistics.median(found.values())
        reached = "" if known.meets is None else "yes" if known.meets(middle) else "no"
        seeds = ", ".join(map(str, sorted(found)))
        lines.append(
            f"| `{name}` | {known.about} | {seeds} | {middle:.4g} | {min(scores):.4g} to {max(scores):.4g} ({known.unit}) "
            f"| {known.figure} | {reached} |"
        )
    machines = sorted(
        {f"{r['machine']}, torch {r['torch']}, {r['threads']} thread(s), commit {r['commit']}" for r in rows.values()}
    )
    return "\n".join([*lines, "", f"Measured on: {'; '.join(machines)}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--only", nargs="+", choices=KNOWN, default=list(KNOWN))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--report", action="store_true", help="write the page from the rows that are there")
    given = parser.parse_args()
    if not given.report:
        for name in given.only:
            for seed in given.seeds:
                measure(Rows("known"), name, given.data, seed)
    PAGE.write_text(page(Rows("known").rows), encoding="utf-8")


if __name__ == "__main__":
    main()
