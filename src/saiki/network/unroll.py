"""Run a cell over packed sequences: by the reference loop, or by the kernel that gives the same answer sooner."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from saiki import kernels
from saiki.cells.base import Cell, State
from saiki.errors import OptionError
from saiki.shapes import Float, Int


def unroll(
    cell: Cell,
    x: Float[Tensor, "steps features"],
    counts: Int[Tensor, "time"],
    state: State,
    reverse: bool = False,
    **given: Tensor,
) -> tuple[Float[Tensor, "steps output_width"], State]:
    """Outputs of every valid step and the final state of every row.

    `x` is packed (see `packing`): `counts[t]` rows are active at time t. `state` holds the initial state of every row, in
    packed order. With `reverse`, every row starts at its own last valid step. `given` brings what `cell.needs` names, packed
    like `x`. A row of length 0 has no output and keeps its initial state.
    """
    if missing := cell.needs - given.keys():
        raise OptionError(f"{type(cell).__name__} needs {', '.join(sorted(missing))} beside the input; got none")
    row = kernels.choose(cell.kind, x.device.type, x.dtype, cell.kernel_options()) if not given else None
    if isinstance(row, kernels.Row) and not torch.is_autocast_enabled(x.device.type):
        y, final = kernels.unroll(row.kernel, x, state, cell.weights(), counts, reverse, _reference_of(cell, state))
        return y, type(state)(*final)
    return unroll_reference(cell, x, counts, state, reverse, **given)


class _Loop(nn.Module):
    """The reference loop as a module, so that its cell can be called with other weights."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, counts: Tensor, state: State, reverse: bool) -> tuple[Tensor, State]:
        return unroll_reference(self.cell, x, counts, state, reverse)


def _reference_of(cell: Cell, state: State) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]:
    """What the kernel asks for where it cannot answer itself, with the weights that it was given."""

    def reference(x, state_parts, weights, counts, reverse):
        names = [f"cell.{name}" for name in cell.weight_names()]
        named = {n: w for n, w in zip(names, weights, strict=True) if w is not None}
        y, final = functional_call(_Loop(cell), named, (x, counts, type(state)(*state_parts), reverse))
        return y, tuple(final)

    return reference


def unroll_reference(
    cell: Cell,
    x: Float[Tensor, "steps features"],
    counts: Int[Tensor, "time"],
    state: State,
    reverse: bool = False,
    **given: Tensor,
) -> tuple[Float[Tensor, "steps output_width"], State]:
    """The plain loop over time, through `cell.step`: the meaning of `unroll`, on every device and for every cell."""
    rows = counts.tolist()
    gates = cell.project(x, **given).split(rows)
    outputs: list[Tensor] = [x.new_empty(0)] * len(rows)
    for t in reversed(range(len(rows))) if reverse else range(len(rows)):
        active = cell.step(gates[t], type(state)(*(part[: rows[t]] for part in state)))
        outputs[t] = cell.output(gates[t], active)
        state = type(state)(*(_replace_head(part, head) for part, head in zip(state, active, strict=True)))
    if not rows:
        return x.new_zeros(0, cell.output_width), state
    return torch.cat(outputs), state


def _replace_head(part: Tensor, head: Tensor) -> Tensor:
    """The first rows of `part` replaced by `head`; rows that are not active keep what they had."""
    return head if len(head) == len(part) else torch.cat([head, part[len(head) :]])
