"""Both directions of a layer against two single ones, and against torch.nn's bidirectional layer.

    python benchmarks/directions.py [--threads 1 2] [--seconds 0.3] [--report]

Forward and backward over 100 steps, input as wide as the state, medians of one run, the layers in turn. Rows stand in
benchmarks/results/directions.json under command and code; docs/speed_directions.md shows them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from _rows import ROOT, Rows, about, code_hash
from torch import nn

import saiki.nn

PAGE = ROOT / "docs" / "speed_directions.md"
#: what a speed depends on
CODE = ["native", "src/saiki/kernels", "src/saiki/nn.py"]
CELLS, BATCHES, WIDTHS, TIME = ("RNN", "GRU", "LSTM"), (1, 8, 32), (64, 128, 256), 100


def measure(cell: str, batch: int, width: int, threads: int, seconds: float) -> dict[str, Any]:
    """Microseconds of one direction, of both, and of both in torch.nn."""
    torch.set_num_threads(threads)
    x = torch.randn(TIME, batch, width)
    one, both = getattr(saiki.nn, cell)(width, width), getattr(saiki.nn, cell)(width, width, bidirectional=True)
    theirs = getattr(nn, cell)(width, width, bidirectional=True)
    theirs.load_state_dict(both.state_dict())
    torch.testing.assert_close(both(x)[0], theirs(x)[0], rtol=1e-3, atol=1e-4)
    runs = {"one": _pass(one, x, width), "both": _pass(both, x, 2 * width), "torch": _pass(theirs, x, 2 * width)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    end = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < end or len(times["torch"]) < 5:
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    facts = {name: round(1e6 * statistics.median(found), 1) for name, found in times.items()}
    here = about()
    return {"cell": cell, "batch": batch, "width": width, **here, "torch_version": here["torch"], **facts}


def _pass(layer: nn.Module, x: torch.Tensor, width: int) -> Callable[[], None]:
    gradient = torch.randn(*x.shape[:2], width)

    def run() -> None:
        layer.zero_grad()
        layer(x)[0].backward(gradient)

    return run


def page(rows: list[dict[str, Any]]) -> str:
    """The tables of the documentation, one per number of threads."""
    lines = [
        "# Both directions of a layer",
        "",
        "Made by `python benchmarks/directions.py`. Forward and backward over 100 steps, microseconds; medians of one run, the",
        "layers in turn. On an even number of threads each direction has half of them; on one they follow one another in one call.",
        "",
    ]
    for threads in sorted({r["threads"] for r in rows}):
        found = [r for r in rows if r["threads"] == threads]
        lines += [
            f"## {threads} thread(s)",
            "",
            "| cell | batch | width | one | both | both / two single ones | torch both | torch / saiki |",
        ]
        lines += ["|---|---:|---:|---:|---:|---:|---:|---:|"]
        for r in found:
            cost, gain = r["both"] / (2 * r["one"]), r["torch"] / r["both"]
            cells = [
                r["cell"],
                r["batch"],
                r["width"],
                f"{r['one']:.0f}",
                f"{r['both']:.0f}",
                f"{cost:.2f}",
                f"{r['torch']:.0f}",
            ]
            lines.append(f"| {' | '.join(map(str, cells))} | {gain:.2f} |")
        lines.append("")
    machines = sorted({f"{r['machine']}, torch {r['torch_version']}, commit {r['commit']}" for r in rows})
    return "\n".join([*lines, f"Measured on: {'; '.join(machines)}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=0.3, help="of each layer at each point")
    parser.add_argument(
        "--report", action="store_true", help="only write docs/speed_directions.md from the rows there are"
    )
    given = parser.parse_args()
    rows, code = Rows("directions"), code_hash(*CODE)
    for threads in [] if given.report else given.threads:
        for cell in CELLS:
            for batch in BATCHES:
                for width in WIDTHS:
                    point = f"{cell} b{batch} w{width} {threads} threads"
                    rows.rows = {k: r for k, r in rows.rows.items() if not k.startswith(point)}
                    row = measure(cell, batch, width, threads, given.seconds)
                    rows.put(f"{point} code={code}", row)
    PAGE.write_text(page(list(rows.rows.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
