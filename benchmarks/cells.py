"""Time of every cell and option against the plain LSTM kernel, its own matrix products, and its reference loop.

    python benchmarks/cells.py [--only lstm …] [--threads 2]

Batch 32, time 100, width 128, input as wide, float32, forward and backward. Rows are kept in `benchmarks/results/cells.json`
under command and code, so that a run that was stopped goes on; the table `docs/speed_cells.md` is written from them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from _rows import ROOT, Rows, about, code_hash

from saiki.cells import Cell, make_cell
from saiki.network.unroll import unroll, unroll_reference

BATCH, TIME, WIDTH = 32, 100, 128
CASES: list[tuple[str, dict[str, Any]]] = [
    ("lstm", {}),
    ("gru", {}),
    ("elman", {}),
    *(
        (cell, {option: value})
        for cell in ("lstm", "gru", "elman")
        for option, value in (("layer_norm", True), ("zoneout", 0.1))
    ),
    ("lstm", {"peephole": True}),
    ("lstm", {"coupled": True}),
    ("lstm", {"projection": 64}),
    ("gru", {"reset": "before"}),
    ("gru", {"transition": 2}),
    ("slstm", {}),
    ("rhn", {"depth": 2}),
    ("rhn", {"depth": 4}),
    ("indrnn", {}),
    ("sru", {}),
    ("lru", {}),
    ("mingru", {}),
    ("minlstm", {}),
]


def seconds(run: Any, least: float, most: int) -> float:
    """Median time of a call, after one to warm up."""
    run()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < least and len(times) < most):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def both_ways(how: Any, cell: Cell) -> Any:
    """One call forward and backward."""
    x = torch.randn(BATCH * TIME, WIDTH, requires_grad=True)
    counts, state = torch.full((TIME,), BATCH), cell.initial_state(BATCH)
    into = torch.randn(BATCH * TIME, cell.output_width)

    def run() -> None:
        cell.zero_grad()
        how(cell, x, counts, state)[0].backward(into)

    return run


def products(cell: Cell) -> Any:
    """Three products of every matrix of the cell with all steps at once: forward, gradients of input and of weight."""
    matrices = [
        w for weight in cell.parameters() if weight.dim() > 1 for w in weight.detach().reshape(-1, *weight.shape[-2:])
    ]
    made = [(w, torch.randn(BATCH * TIME, w.shape[1]), torch.randn(BATCH * TIME, w.shape[0])) for w in matrices]

    def run() -> None:
        for weight, before, after in made:
            torch.mm(before, weight.t()), torch.mm(after, weight), torch.mm(after.t(), before)

    return run


def measure(name: str, options: dict[str, Any]) -> dict[str, Any]:
    plain, cell = make_cell("lstm", WIDTH, WIDTH), make_cell(name, WIDTH, WIDTH, **options)
    row = {"cell": name, "options": options, "kernel": seconds(both_ways(unroll, cell), 0.5, 50)}
    row["lstm"] = seconds(both_ways(unroll, plain), 0.5, 50)
    row["products"] = seconds(products(cell), 0.3, 50)
    row["reference"] = seconds(both_ways(unroll_reference, cell), 0.0, 3)
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The page of the documentation."""
    first = rows[0]
    lines = [
        "# Speed of cells and of what acts inside them",
        "",
        f"Batch {BATCH}, time {TIME}, width {WIDTH}, input as wide, float32, forward and backward, medians; {first['machine']}, "
        f"{first['threads']} threads, torch {first['torch']}. Written by `benchmarks/cells.py`. Ratios to the plain LSTM kernel "
        "and to the cell's own matrix products (three per matrix, all steps at once, by torch) are of times of the same run; "
        "smaller is better. The last column is how many times slower the reference loop is.",
        "",
        "| cell | options | ms | ÷ plain LSTM kernel | ÷ its products | reference loop ÷ it |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        options = ", ".join(f"{k} {v}" for k, v in r["options"].items()) or "–"
        kernel = r["kernel"]
        ratios = kernel / r["lstm"], kernel / r["products"], r["reference"] / kernel
        lines.append(
            f"| {r['cell']} | {options} | {kernel * 1e3:.1f} | " + " | ".join(f"{v:.2f}" for v in ratios) + " |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="cells to measure")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows, code, shown = Rows("cells"), code_hash("native", "src/saiki/kernels", "src/saiki/cells"), []
    for name, options in CASES:
        key = f"{name} {options} threads={asked.threads} code={code}"
        if key not in rows and (not asked.only or name in asked.only):
            rows.put(key, measure(name, options) | about())
            print(key, flush=True)
        if key in rows.rows:
            shown.append(rows.rows[key])
    (ROOT / "docs" / "speed_cells.md").write_text(table(shown))


if __name__ == "__main__":
    main()
