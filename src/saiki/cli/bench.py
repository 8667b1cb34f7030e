"""Time saiki.nn against torch.nn on this machine.

A few points, forward and backward, some seconds.
The whole grid, with ranges, ragged batches and machine facts, is `python benchmarks/speed.py` in the source tree.
"""

from __future__ import annotations

from typing import Annotated

import typer

from saiki.cli._console import Console, table

#: batch, time, width; the input is as wide as the state
POINTS = ((8, 100, 64), (32, 100, 128), (32, 50, 256))
CELLS = ("RNN", "GRU", "LSTM")


def command(
    full: Annotated[bool, typer.Option("--full", help="Say how to run the whole grid.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs per point; the median counts.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    console = Console(as_json=json)
    if full:
        console.answer(
            ["python benchmarks/speed.py   (in the source tree; minutes)"], {"command": "python benchmarks/speed.py"}
        )
        return
    import torch

    from saiki import kernels
    from saiki.reporting.speed import compare

    facts = kernels.report()
    found = [compare(cell, *point, repeats=repeats) for point in POINTS for cell in CELLS]
    header = ["cell", "batch", "time", "width", "torch ms", "saiki ms", "times faster"]
    shown = [[f.cell, *map(str, f.point), f"{f.torch_ms:.2f}", f"{f.saiki_ms:.2f}", f"{f.ratio:.2f}"] for f in found]
    kind = f"kernels for {facts['isa']}" if facts.get("native") else f"no kernels: {facts.get('why_not')}"
    lines = [
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {kind}; forward + backward, float32, median"
    ]
    data = {"torch": torch.__version__, "kernels": facts, "points": [f.__dict__ | {"ratio": f.ratio} for f in found]}
    console.answer([*lines, *table([header, *shown])], data)
