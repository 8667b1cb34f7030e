"""The table of cells: what each one costs, how it runs, and which options of a step it takes."""

from __future__ import annotations

import inspect
import re

import torch

from saiki import catalog
from saiki.cells import DEEP, INSIDE, Cell, cell_class, make_cell, options_of
from saiki.cells.base import LinearCell
from saiki.kernels.table import RESERVOIR, ROWS, STEPS
from saiki.network.options import CELL_OPTIONS
from saiki.network.unroll import needed, unroll_reference

#: features and units that the numbers of the table are for
WIDTH = 128
HEAD = """# Cells

One row per file of `src/saiki/cells`; the same names for `--cell`, `saiki.nn.Recurrent` and `saiki.cells.make_cell`.
Numbers are for {width} features and {width} units without options.

- **state**: numbers that a row carries from step to step.
- **backward**: numbers that the readable loop keeps per unit and step for the way back (shared ones once). Kernels keep fewer;
  `--bptt` bounds the steps.
- **parallel**: whether a step is linear in the state, so that time need not run step by step.
- **runs by**: a kernel (and with which options), the fused scan, or the loop of Torch operations.
"""
MATRIX = """
## Which option acts in which cell

Options of a step; any other combination is one line of error. `transition` and `deep_output` are layers around any cell.
"""


def cells() -> str:
    """The page `docs/cells.md`."""
    names = catalog.names("cells")
    lines = [HEAD.format(width=WIDTH), "| cell | parameters | state | backward | parallel | needs | runs by | source |"]
    lines += ["|---|---:|---:|---:|---|---|---|---|", *map(_row, names), MATRIX]
    inside = [o for o in CELL_OPTIONS if o in INSIDE or o in DEEP]
    own = [o for o in CELL_OPTIONS if o not in INSIDE and o not in DEEP]
    lines += ["| cell | " + " | ".join(f"`{o}`" for o in inside) + " | its own |", "|---|" + "---|" * (len(inside) + 1)]
    for name in names:
        taken = options_of(name)
        rest = ", ".join(f"`{option}`" for option in own if option in taken)
        lines.append(
            f"| `{name}` | " + " | ".join("yes" if o in taken else "–" for o in inside) + f" | {rest or '–'} |"
        )
    return "\n".join([*lines, ""])


def _row(name: str) -> str:
    torch.manual_seed(0)
    cell, kind = make_cell(name, WIDTH, WIDTH), cell_class(name)
    state = sum(part[0].numel() for part in cell.initial_state(1))
    parameters = sum(weight.numel() for weight in cell.parameters())
    linear = "yes" if _linear(name) else "no"
    needs = ", ".join(sorted(cell.needs)) or "–"
    shown = [f"`{name}`", f"{parameters:,}", f"{state:,}", f"{_kept(cell):.0f}", linear, needs, _runs(name, kind)]
    return "| " + " | ".join([*shown, _source(kind).replace("|", "\\|")]) + " |"


def _runs(name: str, kind: type[Cell]) -> str:
    """What computes whole sequences on a CPU."""
    if issubclass(kind, LinearCell):
        return "fused scan" if kind.step is LinearCell.step else "loop"
    said = ["kernel (where no gradient passes)"] if name == RESERVOIR.cell else []
    for row in (row for row in ROWS if row.cell == name):
        given = [f"{option}={value}" for option, value in row.options.items()]
        said.append("kernel" + (f" ({', '.join(given)})" if given else ""))
    if name in STEPS:
        said.append("kernel step by step" + (" (all other options)" if said else ""))
    return "; ".join(said) or "loop"


def _source(kind: type[Cell]) -> str:
    """The paper: what the docstring says after `Source:`, up to its year or number."""
    text = re.sub(r"\s+", " ", (inspect.getdoc(kind) or "").partition("Source:")[2]).strip()
    found = re.match(r".*?(?:\(arXiv [^)]*\)|\((?:19|20)\d\d\)|(?:19|20)\d\d)", text)
    return found.group(0) if found else text


def _kept(cell: Cell, batch: int = 2) -> float:
    """Numbers per unit and step that the loop keeps for the way back: what one step more adds."""
    return (_saved(cell, batch, 5) - _saved(cell, batch, 4)) / (batch * WIDTH)


def _saved(cell: Cell, batch: int, time: int) -> int:
    kept: dict[int, int] = {}
    alive = []
    weights = {weight.untyped_storage().data_ptr() for weight in cell.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights and tensor.is_floating_point():
            alive.append(tensor)  # so that its place is not given to another
            kept[place] = tensor.untyped_storage().nbytes() // tensor.element_size()
        return tensor

    x, counts = torch.randn(batch * time, WIDTH), torch.full((time,), batch)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        unroll_reference(cell, x, counts, cell.initial_state(batch), **needed(cell, x, {}))
    return sum(kept.values())


def _linear(name: str) -> bool:
    """Whether a step is affine in the state, by trying: f(a) + f(b) - f(0) = f(a + b)."""
    cell = make_cell(name, WIDTH, WIDTH).double()
    x = torch.randn(1, WIDTH, dtype=torch.float64)
    given = needed(cell, x, {})
    gates = cell.project(torch.cat([x, x.new_zeros(1, cell.history * WIDTH)], 1), **given)
    zero = [torch.zeros_like(part) for part in cell.initial_state(1)]
    one, other = ([torch.rand_like(part) for part in zero] for _ in range(2))

    def step(parts: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(cell.step(gates, type(cell.initial_state(1))(*parts))), 1)

    both = step([a + b for a, b in zip(one, other, strict=True)])
    return bool(torch.allclose(step(one) + step(other) - step(zero), both))
