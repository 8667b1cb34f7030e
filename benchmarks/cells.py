"""Speed of cells beside the plain LSTM, their own matrix products and their reference loop; of a streaming step; of two directions.

    python benchmarks/cells.py [--only slstm rhn …] [--threads 2] [--seconds 0.3] [--report]

Cells: batch 32, time 100, width 128, input as wide, float32, forward + backward. The products are those a cell cannot do
without: of every matrix, forward, and the gradients of what it multiplies and of itself, all steps at once, each by the faster of
torch.mm and the panel GEMM of the kernels. Streams: batch 1, width 128, one step from Python. Two directions: beside two
layers of one direction. All times of a row are medians of one run, turn and turn about; answers are compared first. Rows are
kept in benchmarks/results/cells.json under command and code, so that a run can be stopped and goes on where it was;
docs/speed_cells.md is written from them.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from _cells_page import page
from _cells_streams import stream
from _rows import ROOT, Rows, about, code_hash
from speed import alternate
from torch import Tensor

import saiki.nn
from saiki.cells import Cell, make_cell
from saiki.kernels.table import native
from saiki.network.unroll import unroll, unroll_reference

BATCH, TIME, WIDTH = 32, 100, 128
INSIDE = {"layer_norm": True, "zoneout": 0.1}
#: cell, options, what bounds its time: the plain LSTM kernel or its own products; None: reported only
CELLS: list[tuple[str, dict[str, Any], str | None]] = [
    ("lstm", {}, None),
    *(("lstm", {name: value}, "lstm") for name, value in INSIDE.items()),
    ("lstm", INSIDE, None),
    ("slstm", {}, "lstm"),
    *(("rhn", {"depth": depth}, "products") for depth in (2, 4)),
    *((cell, {}, "products") for cell in ("indrnn", "sru", "mingru", "lru")),
    ("minlstm", {}, None),
    ("gru", {}, None),
    ("gru", {"layer_norm": True}, None),
    ("gru", {"zoneout": 0.1}, None),
    ("gru", {"reset": "before"}, None),
    ("elman", {}, None),
    ("elman", {"layer_norm": True}, None),
    ("lstm", {"peephole": True}, None),
    ("lstm", {"coupled": True}, None),
    ("lstm", {"projection": 64}, None),
]
LAYERS = {"rnn": saiki.nn.RNN, "gru": saiki.nn.GRU, "lstm": saiki.nn.LSTM}
#: batch, width
PAIRS = [(32, 128), (32, 256), (1, 128), (1, 256)]


def both_ways(how: Any, cell: Cell, x: Tensor, into: Tensor) -> list[Tensor]:
    """One call forward and backward; the output and all gradients."""
    counts = torch.full((TIME,), BATCH)
    y, _ = how(cell, x, counts, cell.initial_state(BATCH))
    return [y, *torch.autograd.grad(y, [x, *cell.parameters()], into)]


def check(name: str, got: list[Tensor], expected: list[Tensor]) -> None:
    """Nothing is reported of answers that differ."""
    for g, e in zip(got, expected, strict=True):
        if (g - e).abs().max() > 1e-3 * e.abs().max().clamp(min=1e-3):
            raise SystemExit(f"{name}: the kernel and the reference disagree; nothing is reported")


def measure_cell(name: str, options: dict[str, Any], seconds: float) -> dict[str, Any]:
    torch.manual_seed(0)
    plain, cell = make_cell("lstm", WIDTH, WIDTH), make_cell(name, WIDTH, WIDTH, **options)
    x = torch.randn(BATCH * TIME, WIDTH, requires_grad=True)
    into = torch.randn(BATCH * TIME, cell.output_width)
    cell.eval()  # masks are not drawn anew, so that the answers can be compared
    check(name, both_ways(unroll, cell, x, into), both_ways(unroll_reference, cell, x, into))
    cell.train()
    jobs = {
        "kernel": partial(both_ways, unroll, cell, x, into),
        "lstm": partial(both_ways, unroll, plain, x, torch.randn(BATCH * TIME, WIDTH)),
        **{f"product {i} {how}": job for i, pair in enumerate(products(cell)) for how, job in pair.items()},
    }
    times = dict(zip(jobs, map(statistics.median, alternate(list(jobs.values()), seconds)), strict=True))
    loop = alternate([partial(both_ways, unroll_reference, cell, x, into)], seconds)[0]
    number = (len(jobs) - 2) // 2
    fastest = [min(times[f"product {i} {how}"] for how in ("torch", "panel")) for i in range(number)]
    return {
        "kernel": times["kernel"], "lstm": times["lstm"], "products": sum(fastest), "reference": statistics.median(loop),
        "products_torch": sum(times[f"product {i} torch"] for i in range(number)),
        "products_panel": sum(times[f"product {i} panel"] for i in range(number)),
    }  # fmt: skip


def products(cell: Cell) -> list[dict[str, Callable[[], Any]]]:
    """Three products of every matrix of the cell, by torch and by the panel GEMM; matrices of the same input are one."""
    found: list[tuple[int, int]] = []
    if all(hasattr(cell, name) for name in ("B_re", "C_re")):  # of the input, and of the state
        found = [(3 * WIDTH, WIDTH), (WIDTH, 2 * WIDTH)]
    else:
        for weight in (w for w in cell.parameters() if w.dim() > 1):
            found += [(int(w.shape[0]), int(w.shape[1])) for w in weight.reshape(-1, *weight.shape[-2:])]
    return [job for rows, depth in found for job in of_matrix(rows, depth)]


def of_matrix(rows: int, depth: int) -> list[dict[str, Callable[[], Any]]]:
    """y = x W', dx = dy W, dW = dy' x."""
    threads = torch.get_num_threads()
    w, x, y = torch.randn(rows, depth), torch.randn(BATCH * TIME, depth), torch.randn(BATCH * TIME, rows)
    up, back, dw = torch.empty_like(y), torch.empty_like(x), torch.empty_like(w)
    pairs = [
        ((x, w.t()), up, partial(native.product, x, w, up, across=True, threads=threads)),
        ((y, w), back, partial(native.product, y, w, back, threads=threads)),
        ((y.t(), x), dw, partial(native.product, y, x, dw, turned=True, threads=threads)),
    ]
    for (a, b), to, panel in pairs:
        panel()
        check("panel GEMM", [to], [a @ b])
    return [{"torch": partial(torch.mm, a, b, out=torch.empty_like(to)), "panel": panel} for (a, b), to, panel in pairs]


def measure_pair(kind: str, batch: int, width: int, seconds: float) -> dict[str, Any]:
    """Both directions in one layer, and two layers of one direction."""
    torch.manual_seed(0)
    both = LAYERS[kind](width, width, bidirectional=True)
    one, other = (LAYERS[kind](width, width) for _ in range(2))
    x = torch.randn(TIME, batch, width, requires_grad=True)
    into = torch.randn(TIME, batch, 2 * width)

    def run(layer: Any, into: Tensor) -> None:
        torch.autograd.grad(layer(x)[0], [x, *layer.parameters()], into)

    half = into[..., :width].contiguous()
    jobs = [lambda: run(both, into), lambda: (run(one, half), run(other, half)), lambda: run(one, half)]
    pair, singles, single = map(statistics.median, alternate(jobs, seconds))
    return {"both": pair, "singles": singles, "single": single}


def cases() -> dict[str, tuple[dict[str, Any], Callable[[float], dict[str, Any]]]]:
    """What is measured, by name: facts of the row, and the measurement."""
    found: dict[str, tuple[dict[str, Any], Callable[[float], dict[str, Any]]]] = {}
    for cell, options, bound in CELLS:
        shown = ", ".join(f"{name} {value}" for name, value in options.items())
        facts = {"kind": "cell", "cell": cell, "options": shown, "bound": bound}
        found[f"{cell} {shown}".strip()] = facts, partial(measure_cell, cell, options)
    for kind in LAYERS:
        facts = {"kind": "stream", "cell": kind}
        found[f"stream {kind}"] = facts, partial(stream, kind, WIDTH)
        for batch, width in PAIRS:
            facts = {"kind": "pair", "cell": kind, "batch": batch, "width": width}
            found[f"pair {kind} b{batch} w{width}"] = facts, partial(measure_pair, kind, batch, width)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="words of which a case must have one: slstm, stream, pair …")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3, help="per job of a case")
    parser.add_argument("--again", action="store_true", help="measure what has been measured too")
    parser.add_argument("--report", action="store_true", help="only write the page from the rows there are")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows, code = Rows("cells"), code_hash("native", "src/saiki/kernels", "src/saiki/cells", "CMakeLists.txt")
    for name, (facts, measure) in cases().items():
        key = f"{name} threads={asked.threads}"
        known = key in rows and rows.rows[key]["code"] == code and not asked.again
        if known or asked.report or (asked.only and not set(asked.only) & set(name.replace(",", " ").split())):
            continue
        rows.put(key, {**facts, **measure(asked.seconds), **about(), "code": code})
        print(key, {k: f"{v * 1e6:.1f} us" for k, v in rows.rows[key].items() if isinstance(v, float)}, flush=True)
    found = [rows.rows[key] for name in cases() if (key := f"{name} threads={asked.threads}") in rows]
    (ROOT / "docs" / "speed_cells.md").write_text(page(found, BATCH, TIME, WIDTH))


if __name__ == "__main__":
    main()
