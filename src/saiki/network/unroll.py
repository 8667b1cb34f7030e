"""Run a cell over packed sequences: by the reference loop, or by the kernel that gives the same answer sooner."""

from __future__ import annotations

import torch
from torch import Tensor

from saiki import kernels
from saiki.cells.base import Cell, State
from saiki.errors import OptionError
from saiki.kernels.table import say_once
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

    `x` is packed (see `packing`): `counts[t]` rows are active at time t. `state` holds the initial state of every row,
    in packed order. With `reverse`, every row starts at its own last valid step. `given` brings what `cell.needs`
    names, packed like `x`. A row of length 0 has no output and keeps its initial state.
    """
    if missing := cell.needs - given.keys():
        raise OptionError(f"{type(cell).__name__} needs {', '.join(sorted(missing))} beside the input; got none")
    cell = cell.drawn(len(state[0]))
    if (reason := obstacle(x)) is not None:
        say_once(reason)
    elif (row := kernels.choose(cell, x, state)) is not None:
        return kernels.run(row, cell, x, counts, state, reverse, unroll_reference, **given)
    return unroll_reference(cell, x, counts, state, reverse, **given)


def obstacle(x: Tensor) -> str | None:
    """Why no kernel may run just now, whatever the cell; None where one may."""
    if autocast(x):
        return "autocast: the reference computes in the dtypes that torch chooses"
    if torch.compiler.is_compiling():
        return None
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return "torch.jit.trace: the reference is traced"
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform: the reference is computed, which every transform knows"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode gradients: the reference computes them"
    return None


def autocast(x: Tensor) -> bool:
    """Whether torch chooses the dtypes of products on the device of x."""
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)


def unroll_reference(
    cell: Cell,
    x: Float[Tensor, "steps features"],
    counts: Int[Tensor, "time"],
    state: State,
    reverse: bool = False,
    **given: Tensor,
) -> tuple[Float[Tensor, "steps output_width"], State]:
    """The plain loop over time, through `cell.step`: the meaning of `unroll`, on every device and for every cell."""
    rows = counts.tolist() or [0]  # no time at all: one step of no rows, so that gradients are zeros
    gates = cell.project(x, **given).split(rows)
    outputs: list[Tensor] = [x.new_empty(0)] * len(rows)
    for t in reversed(range(len(rows))) if reverse else range(len(rows)):
        active = cell.step(gates[t], type(state)(*(part[: rows[t]] for part in state)))
        outputs[t] = cell.output(gates[t], active)
        state = type(state)(*(_replace_head(part, head) for part, head in zip(state, active, strict=True)))
    return torch.cat(outputs), state


def _replace_head(part: Tensor, head: Tensor) -> Tensor:
    """The first rows of `part` replaced by `head`; rows that are not active keep what they had."""
    return head if len(head) == len(part) else torch.cat([head, part[len(head) :]])
