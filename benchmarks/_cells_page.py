"""The page docs/speed_cells.md, from the rows of `cells.py`."""

from __future__ import annotations

from typing import Any

#: at most: over the plain LSTM kernel or the cell's products; of torch's layer; of ONNX Runtime; of two directions
LIMITS = {"bound": 1.5, "torch_layer": 0.2, "onnxruntime": 1.0, "pair": 1.1}


def mark(value: float, limit: float | None) -> str:
    """A ratio, bold where it misses what was asked."""
    return f"{value:.2f}" if limit is None or value <= limit else f"**{value:.2f}**"


def cells(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| cell | options | ms | plain LSTM kernel beside it, ms | ÷ that | ÷ its products | reference loop ÷ it |",
        "|---|---|" + "---:|" * 5,
    ]
    for r in rows:
        ratios = {name: r["kernel"] / r[name] for name in ("lstm", "products")}
        shown = (mark(v, LIMITS["bound"] if r["bound"] == name else None) for name, v in ratios.items())
        loop = mark(r["reference"] / r["kernel"], None)
        times = f"{1e3 * r['kernel']:.2f} | {1e3 * r['lstm']:.2f}"
        lines.append(f"| {r['cell']} | {r['options'] or '–'} | {times} | {' | '.join(shown)} | {loop} |")
    return lines


def streams(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| layer | saiki, µs | torch.nn layer, µs | torch cell, µs | ONNX Runtime, µs | saiki.nn layer, µs | ÷ torch.nn layer "
        "| ÷ ONNX Runtime |",
        "|---|" + "---:|" * 7,
    ]
    for r in rows:
        names = ("saiki", "torch_layer", "torch_cell", "onnxruntime", "saiki_layer")
        times = (f"{1e6 * r[name]:.2f}" if name in r else "–" for name in names)
        others = (mark(r["saiki"] / r[n], LIMITS[n]) if n in r else "–" for n in ("torch_layer", "onnxruntime"))
        lines.append(f"| {r['cell']} | {' | '.join(times)} | {' | '.join(others)} |")
    return lines


def pairs(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| layer | batch | width | both, ms | two of one direction, ms | ÷ those | ÷ one of them |",
        "|---|" + "---:|" * 6,
    ]
    for r in rows:
        two, one = r["both"] / r["singles"], r["both"] / r["single"]
        limit = LIMITS["pair"] if r["batch"] > 1 else 1.0
        times = f"{1e3 * r['both']:.2f} | {1e3 * r['singles']:.2f}"
        lines.append(f"| {r['cell']} | {r['batch']} | {r['width']} | {times} | {mark(two, limit)} | {one:.2f} |")
    return lines


def page(rows: list[dict[str, Any]], batch: int, time: int, width: int) -> str:
    of = {kind: [r for r in rows if r["kind"] == kind] for kind in ("cell", "stream", "pair")}
    first = rows[0]
    commits = ", ".join(sorted({r["commit"] for r in rows}))
    return f"""# Speed of cells, of streams and of two directions

Written by `python benchmarks/cells.py`. {first["machine"]}; {first["threads"]} threads; torch {first["torch"]}; commit {commits};
float32; medians of one run, turn and turn about. Ratios in bold miss what was asked for.

## Cells

Batch {batch}, time {time}, width {width}, input as wide, forward + backward, Python included. The products are those that a cell
cannot do without: of every matrix, forward, and the gradients of what it multiplies and of itself, all steps at once, each by the
faster of torch.mm and the panel GEMM of the kernels. A cell that must follow time cannot have all steps at once, so 1 is out of
its reach. Asked for: at most {LIMITS["bound"]} times the plain LSTM kernel for LSTMs with layer norm or with zoneout and for slstm;
at most {LIMITS["bound"]} times their products for rhn, indrnn, sru, mingru and lru. The last column is how many times slower the
reference loop is.

{chr(10).join(cells(of["cell"]))}

## One step of a stream

Batch 1, width {width}, input as wide, one more step from Python: tensor in, tensor out, the state kept. Asked for: at most
{LIMITS["torch_layer"]} of the time of torch.nn's layer, and less than ONNX Runtime's.

{chr(10).join(streams(of["stream"]))}

## Two directions

Time {time}, input as wide as the width, forward + backward: a bidirectional layer beside two layers of one direction, one after
the other. Asked for: at most {LIMITS["pair"]} of those at batch 32; at batch 1 the directions run side by side, so below 1.

{chr(10).join(pairs(of["pair"]))}
"""
