"""Speed of saiki's recurrent layers beside torch.nn's, in one run: forward alone, and forward + backward.

    python benchmarks/speed.py [--threads 2] [--quick] [--cell gru] [--report]

Every point is measured with both libraries in turn, so that a busy machine disturbs both; figures are medians. A point is
reported only if outputs and gradients agree. Rows are kept in benchmarks/results/speed.json under the point and a hash of
the native source, so that a run can be stopped and goes on where it was; docs/speed.md shows all of them, losses included.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import saiki.nn
from saiki.kernels.table import native

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
PAGE = ROOT / "docs" / "speed.md"
TORCH = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SAIKI = {"rnn": saiki.nn.RNN, "gru": saiki.nn.GRU, "lstm": saiki.nn.LSTM}
TARGETS = {"rnn": (2.5, 2.0), "gru": (2.5, 2.0), "lstm": (1.2, 1.0)}  # forward + backward, forward
SECONDS = 0.25  # measured per point, library and pass


class Point(NamedTuple):
    cell: str
    batch: int
    time: int
    width: int
    ragged: bool = False

    def key(self, threads: int) -> str:
        return f"{self.cell} b{self.batch} t{self.time} w{self.width} {'ragged' if self.ragged else 'full'} {threads}"

    def lengths(self) -> list[int]:
        """Full, or uniform in 1 .. time, longest first."""
        if not self.ragged:
            return [self.time] * self.batch
        drawn = torch.randint(1, self.time + 1, (self.batch,), generator=torch.Generator().manual_seed(self.time))
        return sorted([self.time, *drawn.tolist()[1:]], reverse=True)


def grid(quick: bool) -> Iterator[Point]:
    times, widths, batches = (
        ((50,), (64, 256), (1, 32)) if quick else ((50, 100, 500), (64, 128, 256, 512), (1, 8, 32, 128))
    )
    for cell in TORCH:
        for steps in times:
            for width in widths:
                for batch in batches:
                    yield Point(cell, batch, steps, width)
                    if batch >= 32:
                        yield Point(cell, batch, steps, width, ragged=True)


class Layer(NamedTuple):
    """One library at one point."""

    name: str
    run: Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]  # packed input -> packed output, final state
    weights: list[Tensor]


def layers(point: Point) -> tuple[Layer, Layer]:
    """torch.nn and saiki.nn with the same weights, both on packed input if the point is ragged."""
    torch.manual_seed(0)
    theirs = TORCH[point.cell](point.width, point.width)
    ours = SAIKI[point.cell](point.width, point.width)
    ours.load_state_dict(theirs.state_dict())
    counts = (torch.arange(point.time)[:, None] < torch.tensor(point.lengths())).sum(1)
    return Layer("torch", runner(point, theirs, counts), list(theirs.parameters())), Layer(
        "saiki", runner(point, ours, counts), list(ours.parameters())
    )


def runner(point: Point, module: nn.Module, counts: Tensor) -> Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]:
    def run(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        given = PackedSequence(x, counts) if point.ragged else x.view(point.time, point.batch, point.width)
        y, final = module(given)
        return (y.data if point.ragged else y.flatten(0, 1)), tuple(final) if isinstance(final, tuple) else (final,)

    return run


def passes(layer: Layer, x: Tensor, gradient: Tensor, train: bool) -> list[Tensor]:
    """One pass; all its results."""
    if not train:
        with torch.no_grad():
            y, final = layer.run(x)
        return [y, *final]
    y, final = layer.run(x)
    return [y.detach(), *(f.detach() for f in final), *torch.autograd.grad(y, [x, *layer.weights], gradient)]


def agree(point: Point, x: Tensor, gradient: Tensor, pair: tuple[Layer, Layer]) -> bool:
    """Outputs, final states and all gradients of both, relative to the scale of each tensor."""
    expected, got = (passes(layer, x, gradient, True) for layer in pair)
    return all((e - g).abs().max() <= 2e-4 * e.abs().max().clamp(min=1e-3) for e, g in zip(expected, got, strict=True))


def measure(point: Point, seconds: float) -> dict[str, object]:
    pair = layers(point)
    steps = sum(point.lengths())
    torch.manual_seed(1)
    x = torch.randn(steps, point.width, requires_grad=True)
    gradient = torch.randn(steps, point.width)
    if not agree(point, x, gradient, pair):
        raise SystemExit(f"{point}: saiki and torch disagree; nothing is reported")
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[point.cell]
    row: dict[str, object] = {"steps": steps, "gflop": 4e-9 * steps * gates * point.width**2}
    for train in (False, True):
        took = alternate([lambda layer=layer: passes(layer, x, gradient, train) for layer in pair], seconds)
        for layer, times in zip(pair, took, strict=True):
            row[f"{layer.name}_{'train' if train else 'forward'}"] = statistics.median(times)
    return row


def alternate(jobs: list[Callable[[], object]], seconds: float) -> list[list[float]]:
    """Seconds per call of each job, turn and turn about, in short series so that caches and threads are its own."""
    once = []
    for job in jobs:
        begin = time.perf_counter()
        job()
        once.append(time.perf_counter() - begin)
    took: list[list[float]] = [[] for _ in jobs]
    series = [max(1, min(20, int(seconds / 10 / o))) for o in once]
    end = time.perf_counter() + seconds * len(jobs)
    while time.perf_counter() < end or len(took[0]) < 3:
        for job, times, repeats in zip(jobs, took, series, strict=True):
            for i in range(repeats + 1):
                begin = time.perf_counter()
                job()
                if i or repeats == 1:
                    times.append(time.perf_counter() - begin)
    return took


def source_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(
        [*(ROOT / "native").glob("*.*"), *(ROOT / "src/saiki/kernels").glob("*.py"), ROOT / "CMakeLists.txt"]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def environment(threads: int) -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    model = next(
        (l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine()
    )
    return {
        "machine": model, "cores": os.cpu_count(), "threads": threads, "isa": native.isa(), "torch": torch.__version__,
        "commit": commit, "source": source_hash(), "micro_kernel_gflops": round(native.rate(), 1),
    }  # fmt: skip


def save(rows: dict[str, dict]) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps(rows, indent=0, sort_keys=True))
    part.replace(RESULTS)


def geometric(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def ratio(row: dict, what: str) -> float:
    return row[f"torch_{what}"] / row[f"saiki_{what}"]


def summary(rows: list[dict]) -> str:
    """Geometric means and worst points per cell, beside the targets."""
    lines = [
        "| cell | pass | geometric mean | target | worst | best | points slower than torch |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in TORCH:
        for what, target in zip(("train", "forward"), TARGETS[cell], strict=True):
            full = [r for r in rows if r["point"][0] == cell and not r["point"][4]]
            if not full:
                continue
            ratios = sorted((ratio(r, what), r["key"]) for r in full)
            name = "forward + backward" if what == "train" else "forward"
            below = sum(value < 1 for value, _ in ratios)
            lines.append(
                f"| {cell} | {name} | {geometric([v for v, _ in ratios]):.2f} | {target} | {ratios[0][0]:.2f} ({ratios[0][1]}) "
                f"| {ratios[-1][0]:.1f} | {below} of {len(ratios)} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a few points only; nothing is written")
    parser.add_argument("--cell", choices=TORCH)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    facts = environment(args.threads)
    print(facts)
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() and not args.quick else {}
    rows = []
    for point in grid(args.quick):
        if args.cell and point.cell != args.cell:
            continue
        key = point.key(args.threads)
        row = stored.get(key)
        if row is None or row["source"] != facts["source"]:
            row = {"key": key, "point": list(point), **facts, **measure(point, args.seconds)}
            stored[key] = row
            if not args.quick:
                save(stored)
        rows.append(row)
        rate = {w: row["gflop"] * (3 if w == "train" else 1) / row[f"saiki_{w}"] for w in ("forward", "train")}
        print(
            f"{key:38} forward {ratio(row, 'forward'):6.2f} ({rate['forward']:5.0f} GFLOP/s)   train {ratio(row, 'train'):6.2f} ({rate['train']:5.0f} GFLOP/s)   {1e3 * row['saiki_train']:.2f} ms",
            flush=True,
        )
    print(summary(rows))


if __name__ == "__main__":
    main()
