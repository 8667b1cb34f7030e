"""What the training loop costs over a bare one: forward, backward and AdamW on the same network and preloaded tensors.

    python benchmarks/training.py [--threads 2] [--rounds 7]

Both run the same number of steps in turn; the figure is the median of the ratios. The loop's share includes drawing the batches,
clipping, validation, progress and checkpoints.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _rows import Rows, about, code_hash

from saiki import catalog
from saiki.fitting import split_options
from saiki.tasks.forecast import toy
from saiki.training.loop import fit, make_optimizer

STEPS = 300


def bare(problem, network, training) -> float:
    """Seconds for STEPS steps over tensors that are there already."""
    batches = [problem.draw(np.random.default_rng(k), k) for k in range(8)]
    optimizer = make_optimizer(network, training)
    network.train()
    began = time.perf_counter()
    for step in range(STEPS):
        loss = problem.loss(network, batches[step % len(batches)])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began


def ours(problem, network, training) -> float:
    """Seconds for the same through the training loop, checkpoints on disk included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        fit(network, problem, training, folder=Path(folder))
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_num_threads(given.threads)
    rows = Rows("training")
    for name, series, width in (("many series, width 128", 200, 128), ("few series, width 32", 8, 32)):
        options, network_options, training = split_options("forecast", {"horizon": 24, "width": width, "steps": STEPS})
        task = catalog.load("tasks", "forecast").load_task().fit(options, toy(0, series=series, steps=600), {})
        problem = task.problem(training.batch)
        new = lambda task=task, options=network_options, width=width: task.network(options, width, seed=0)  # noqa: E731
        bare(problem, new(), training)
        pairs = [(ours(problem, new(), training), bare(problem, new(), training)) for _ in range(given.rounds)]
        ratio = statistics.median(a / b for a, b in pairs)
        step = 1000 * statistics.median(b for _, b in pairs) / STEPS
        key = f"{name} threads={given.threads} code={code_hash('src/saiki/training', 'src/saiki/tasks', 'src/saiki/network')}"
        rows.put(key, {"ratio": round(ratio, 3), "bare_ms": round(step, 2), **about()})
        print(f"{name}: {ratio:.2f} times a bare loop ({step:.1f} ms a step), {given.threads} threads")


if __name__ == "__main__":
    main()
