"""Speed of saiki's recurrent layers beside torch.nn's and other libraries', in one run: forward alone, and forward + backward.

    python benchmarks/speed.py [--threads 2] [--quick] [--cell gru] [--steps 100] [--ragged] [--passes 3] [--no-peers]

Every point is measured with all libraries in turn; figures are medians. JAX, Keras and ONNX Runtime take part at full batches where
they are installed (`pip install -e '.[bench]'`). A point is reported only if outputs and gradients agree. Rows are kept in
benchmarks/results/speed.json under the point and a hash of the kernels' source, so that a run can be stopped and goes on where
it was; docs/speed.md shows all of them, losses included. What other programs took of the processors meanwhile is measured too:
a point that they disturbed is measured again in the next pass, and the calmest one is kept. A ragged point runs saiki's full
batch beside it, for the share of its time, and the same rows padded and shuffled; where torch takes longer than a few seconds
on one, it is run once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from _peers import Peer, installed, limit_threads, peers
from _speed_page import CALM, NAMES, page, ratio, summary
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import saiki.nn
from saiki.kernels.table import native

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
PAGE = ROOT / "docs" / "speed.md"
TORCH = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SAIKI = {"rnn": saiki.nn.RNN, "gru": saiki.nn.GRU, "lstm": saiki.nn.LSTM}
SECONDS = 0.25  # measured per point, library and pass
SETTLE = 0.005  # seconds between two libraries: threads of the last one that wait for more work give up meanwhile
SLOW = 2.0  # seconds of one pass, from which few are measured


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


def agree(expected: list[Tensor], got: list[Tensor]) -> bool:
    """Outputs, final states and all gradients of both, relative to the scale of each tensor."""
    pairs = zip(expected, got, strict=True)
    return all((e - g.reshape(e.shape)).abs().max() <= 2e-4 * e.abs().max().clamp(min=1e-3) for e, g in pairs)


def check(point: Point, expected: list[Tensor], name: str, got: list[Tensor]) -> None:
    if not agree(expected[: len(got)], got):
        raise SystemExit(f"{point}: {name} and torch disagree; nothing is reported")


def timed(job: Callable[[], list[Tensor]]) -> tuple[float, list[Tensor]]:
    begin = time.perf_counter()
    results = job()
    return time.perf_counter() - begin, results


def taken_by_others(begin: tuple[float, float], end: tuple[float, float]) -> float:
    """Share of the processors that other programs used between two readings of `clocks`."""
    (busy, own), (busy_end, own_end) = begin, end
    return max(0.0, (busy_end - busy) - (own_end - own))


def clocks() -> tuple[float, float]:
    """Seconds that the processors were busy at all, and with this program."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:2])


def wait_for_calm(patience: float) -> None:
    """Wait until other programs leave the processors alone, or patience (seconds) is at an end."""
    end = time.perf_counter() + patience
    while time.perf_counter() < end:
        begin = clocks()
        time.sleep(0.3)
        if taken_by_others(begin, clocks()) < 0.3 * CALM * (os.cpu_count() or 1):
            return


def measure(point: Point, seconds: float, threads: int, with_peers: bool) -> dict[str, object]:
    begin, start = clocks(), time.perf_counter()
    row = _measure(point, seconds, threads, with_peers)
    cores = (time.perf_counter() - start) * (os.cpu_count() or 1)
    return row | {"others": round(taken_by_others(begin, clocks()) / cores, 3)}


def _measure(point: Point, seconds: float, threads: int, with_peers: bool) -> dict[str, object]:
    pair = layers(point)
    steps = sum(point.lengths())
    torch.manual_seed(1)
    x = torch.randn(steps, point.width, requires_grad=True)
    gradient = torch.randn(steps, point.width)
    once, expected = timed(lambda: passes(pair[0], x, gradient, True))
    check(point, expected, "saiki", passes(pair[1], x, gradient, True))
    others = peers_of(point, x, gradient, expected, threads) if with_peers and not point.ragged else []
    del expected
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[point.cell]
    row: dict[str, object] = {"steps": steps, "gflop": 4e-9 * steps * gates * point.width**2}
    whole = torch.randn(point.time, point.batch, point.width, requires_grad=True)
    beside = beside_ragged(point) if point.ragged else []
    for train in (False, True):
        what = "train" if train else "forward"
        jobs = {layer.name: partial(passes, layer, x, gradient, train) for layer in pair}
        jobs |= {layer.name: partial(passes, layer, whole, whole.detach(), train) for layer in beside}
        jobs |= {peer.name: job for peer in others if (job := peer.train if train else peer.forward)}
        if train and point.ragged and once > SLOW:  # torch on long ragged batches takes up to a minute
            del jobs["torch"]
            row["torch_train"] = once
        for name, times in zip(jobs, alternate(list(jobs.values()), seconds), strict=True):
            row[f"{name}_{what}"] = statistics.median(times)
    return row


def peers_of(point: Point, x: Tensor, gradient: Tensor, expected: list[Tensor], threads: int) -> list[Peer]:
    """The other libraries at a full point, their answers checked against torch's."""
    shape = point.time, point.batch, point.width
    torch.manual_seed(0)  # the weights of `layers`
    module = TORCH[point.cell](point.width, point.width)
    found = peers(point.cell, module, x.detach().view(shape), gradient.view(shape), threads)
    for peer in found:
        answers = peer.read((peer.train or peer.forward)())
        check(point, expected, peer.name, [torch.from_numpy(np.array(a)) for a in answers])
    return found


def beside_ragged(point: Point) -> list[Layer]:
    """saiki on the full batch, and on the ragged one as users have it: padded, rows in any order."""
    module = SAIKI[point.cell](point.width, point.width)
    lengths = torch.tensor(point.lengths())[torch.randperm(point.batch)]

    def run(x: Tensor, given: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        y, final = module(x, lengths=given)
        return y, tuple(final) if isinstance(final, tuple) else (final,)

    weights = list(module.parameters())
    return [
        Layer("full", lambda x: run(x, None), weights),
        Layer("padded", lambda x: run(x, lengths), weights),
    ]


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
    least = 3 if max(once) < SLOW else 1
    while time.perf_counter() < end or len(took[0]) < least:
        for job, times, repeats in zip(jobs, took, series, strict=True):
            time.sleep(SETTLE)
            for i in range(repeats + 1):
                begin = time.perf_counter()
                job()
                if i or repeats == 1:
                    times.append(time.perf_counter() - begin)
    return took


def source_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(
        [
            *(ROOT / "native").glob("*.*"),
            *(ROOT / "src/saiki/kernels").glob("*.py"),
            ROOT / "src/saiki/nn.py",
            ROOT / "CMakeLists.txt",
        ]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def environment(threads: int) -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "machine": model, "cores": os.cpu_count(), "threads": threads, "isa": native.isa(), "torch": torch.__version__,
        "commit": commit, "source": source_hash(), "micro_kernel_gflops": round(native.rate(), 1),
    }  # fmt: skip


def save(rows: dict[str, dict]) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps(rows, indent=0, sort_keys=True))
    part.replace(RESULTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a few points only; nothing is written")
    parser.add_argument("--cell", choices=TORCH)
    parser.add_argument("--ragged", action="store_true", help="only the ragged points")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--passes", type=int, default=1, help="times to go over the points that others disturbed")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for other programs before each point"
    )
    parser.add_argument("--steps", type=int, help="only the points of so many steps")
    parser.add_argument("--no-peers", action="store_true", help="torch.nn only")
    parser.add_argument("--report", action="store_true", help="only write docs/speed.md from the rows there are")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    limit_threads(args.threads)
    facts = environment(args.threads)
    print(facts)
    points = [p for p in grid(args.quick) if args.cell in (None, p.cell) and (p.ragged or not args.ragged)]
    points = [p for p in points if args.steps in (None, p.time)]
    points.sort(
        key=lambda p: p.time * p.batch * p.width**2
    )  # the short ones first: a run that is stopped has most points
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() and not args.quick else {}
    for _ in range(0 if args.report else args.passes):
        for point in points:
            measure_if_needed(point, stored, facts, args)
    rows = [stored[p.key(args.threads)] for p in grid(args.quick) if p.key(args.threads) in stored]
    print(summary(rows))
    if not args.quick:
        PAGE.write_text(page(rows, len(list(grid(False)))))


def measure_if_needed(point: Point, stored: dict[str, dict], facts: dict, args: argparse.Namespace) -> None:
    key = point.key(facts["threads"])
    old = stored.get(key)
    asked = [] if args.no_peers or point.ragged else installed()
    complete = old is not None and old["source"] == facts["source"] and all(f"{name}_forward" in old for name in asked)
    if complete and old["others"] <= CALM:
        return
    wait_for_calm(args.patience)
    row = {"key": key, "point": list(point), **facts, **measure(point, args.seconds, args.threads, not args.no_peers)}
    if not complete or row["others"] < old["others"]:
        stored[key] = row
    if not args.quick:
        save(stored)
    ratios = {NAMES[what]: round(ratio(row, what), 2) for what in NAMES}
    print(f"{key:34} {ratios} others {row['others']:.0%}", flush=True)


if __name__ == "__main__":
    main()
