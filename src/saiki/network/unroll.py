"""Run a cell over packed sequences: by the reference loop, or by the kernel that gives the same answer sooner."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saiki import kernels
from saiki.cells.base import Cell, State
from saiki.errors import OptionError
from saiki.kernels.table import say_once
from saiki.network.eager import not_compiled
from saiki.network.packing import Packing
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
    names, packed like `x`; gap is the time since the step before in the order of the batch, in reverse too. A row of
    length 0 has no output and keeps its initial state.
    """
    return _unrolled(_drawn(cell, x, len(state[0])), x, counts, state, reverse, **given)


def _drawn(cell: Cell, x: Tensor, batch: int) -> Cell:
    """`cell.drawn`, after the hooks that make its weights: those of `torch.nn.utils.prune` and of `weight_norm`.

    They are given x, and what they answer is not used; hooks that want keywords are for modules that are called.
    """
    for part in cell.modules():
        for number, hook in part._forward_pre_hooks.items():
            if number not in part._forward_pre_hooks_with_kwargs:
                hook(part, (x,))
    return cell.drawn(batch)


def _unrolled(
    cell: Cell, x: Tensor, counts: Tensor, state: State, reverse: bool, **given: Tensor
) -> tuple[Tensor, State]:
    """`unroll` of a cell whose masks are drawn."""
    if missing := cell.needs - given.keys():
        raise OptionError(f"{type(cell).__name__} needs {', '.join(sorted(missing))} beside the input; got none")
    return _remembering(_by_kernel, cell, x, counts, state, reverse, **given)


def _until_next(gap: Float[Tensor, "steps one"], counts: Int[Tensor, "time"]) -> Float[Tensor, "steps one"]:
    """The time between every step and the one after it, which is the one before it in reverse; at the last step of a row what
    its first one has."""
    if not len(counts) or len(gap) != int(counts.sum()):
        return gap
    rows = torch.cat([torch.arange(count, device="cpu") for count in counts.tolist()])
    following = torch.cat([counts[1:], counts.new_zeros(1)]).repeat_interleave(counts)
    after = torch.arange(len(rows), device="cpu") + counts.repeat_interleave(counts)
    return gap.index_select(0, torch.where(rows < following, after, rows).to(gap.device))


def unroll_layer(
    cells: Sequence[Cell], x: Tensor, layout: Packing, states: Sequence[State], given: dict[str, Tensor], above: bool
) -> list[tuple[Tensor, State]]:
    """`unroll` in every direction of a layer, the second in reverse, both at once where a kernel can.

    States are in the order of the batch; gap and observed are given where the cells need them, see `needed`.
    """
    states = [type(state)(*map(layout.sort, state)) for state in states]
    drawn = [_drawn(cell, x, len(state[0])) for cell, state in zip(cells, states, strict=True)]
    if (row := _common_kernel(drawn, x, states)) is not None:
        found = kernels.run_both(row, drawn, x, layout.counts, states, _loop)
    else:
        found = [
            _unrolled(cell, x, layout.counts, state, number > 0, **needed(cell, x, given, above))
            for number, (cell, state) in enumerate(zip(drawn, states, strict=True))
        ]
    return [(y, type(state)(*map(layout.unsort, state))) for y, state in found]


def _common_kernel(cells: Sequence[Cell], x: Tensor, states: Sequence[State]) -> kernels.Row | None:
    """The kernel that computes both directions of a layer side by side."""
    if len(cells) != 2 or any(cell.history or cell.needs for cell in cells) or obstacle(x) is not None:
        return None
    first, second = (kernels.choose(cell, x, state) for cell, state in zip(cells, states, strict=True))
    return first if first is second and first in kernels.ROWS else None


def _by_kernel(
    cell: Cell, x: Tensor, counts: Tensor, state: State, reverse: bool, **given: Tensor
) -> tuple[Tensor, State]:
    """By the kernel, or by the loop where there is none."""
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting() and kernels.leaves_graphs(cell):
        return _outside(cell, x, counts, state, reverse, **given)
    if (reason := obstacle(x)) is not None:
        say_once(reason)
    elif (row := kernels.choose(cell, x, state)) is not None:
        return kernels.run(row, cell, x, counts, state, reverse, _loop, **given)
    return _loop(cell, x, counts, state, reverse, **given)


_outside = not_compiled(_by_kernel)


def one_step(
    cell: Cell, x: Float[Tensor, "batch features"], state: State, **given: Tensor
) -> tuple[Float[Tensor, "batch output_width"], State]:
    """One more step of every row from its input: what a stream does."""
    past = None
    if cell.history:
        x = torch.cat([x, state.past], 1)
        past = x[:, : state.past.shape[1]]
    gates = cell.project(x, **given)
    state = cell.step(gates, state)
    y = cell.output(gates, state)
    return y, state if past is None else state._replace(past=past)


def needed(cell: Cell, x: Tensor, given: dict[str, Tensor], above: bool = False) -> dict[str, Tensor]:
    """What a cell needs beside x: as given, or regular and complete; above the first layer all is observed."""
    usual = {name: x.new_ones(len(x), 1) for name in ("gap", "observed") if name in cell.needs}
    known = {name: values for name, values in given.items() if name != "observed" or not above}
    return {name: values for name, values in (usual | known).items() if name in cell.needs}


def with_history(
    x: Float[Tensor, "steps features"], counts: Int[Tensor, "time"], past: Float[Tensor, "batch history"], reverse: bool
) -> tuple[Float[Tensor, "steps more"], Float[Tensor, "batch history"]]:
    """Every step with the steps before it behind it, the latest first, and what the next step of every row would see."""
    batch, features = past.shape[0], x.shape[1]
    history = past.shape[1] // features if features else 0
    rows = torch.cat([torch.arange(count) for count in counts.tolist()] or [torch.arange(0)])
    times = torch.repeat_interleave(torch.arange(len(counts)), counts)
    lengths = (torch.arange(batch)[:, None] < counts).sum(1)  # of every row
    first = counts.cumsum(0) - counts  # packed number of the first step of a time
    since = lengths[rows] - 1 - times if reverse else times  # steps of the row before this one
    everything = torch.cat([past.reshape(batch * history, features), x])

    def before(row: Tensor, since: Tensor, lag: int) -> Tensor:
        """The place in `everything` of the step `lag` before the one with `since` steps before it."""
        step = since - lag
        time = lengths[row] - 1 - step if reverse else step
        inside = batch * history + first[time.clamp(0, max(len(counts) - 1, 0))] + row if len(counts) else row
        return torch.where(step >= 0, inside, row * history - step - 1).to(x.device)

    earlier = [everything.index_select(0, before(rows, since, lag)) for lag in range(1, history + 1)]
    every = torch.arange(batch)
    after = [everything.index_select(0, before(every, lengths, lag)) for lag in range(1, history + 1)]
    return torch.cat([x, *earlier], 1), torch.cat(after, 1)


def obstacle(x: Tensor) -> str | None:
    """Why no kernel may run just now, whatever the cell; None where one may."""
    if autocast(x):
        return "autocast: the reference computes in the dtypes that torch chooses"
    if torch.compiler.is_compiling():
        return None
    if torch._C._is_tracing():
        return "torch.jit.trace: the reference is traced"
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform: the reference is computed, which every transform knows"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode gradients: the reference computes them"
    return None


def autocast(x: Tensor) -> bool:
    """Whether torch chooses the dtypes of products on the device of x."""
    kind = "cpu" if x.is_cpu else x.device.type
    return kind != "meta" and torch.is_autocast_enabled(kind)


def unroll_reference(
    cell: Cell,
    x: Float[Tensor, "steps features"],
    counts: Int[Tensor, "time"],
    state: State,
    reverse: bool = False,
    **given: Tensor,
) -> tuple[Float[Tensor, "steps output_width"], State]:
    """The plain loop over time, through `cell.step`: the meaning of `unroll`, on every device and for every cell."""
    return _remembering(_loop, cell, x, counts, state, reverse, **given)


def _remembering(
    how: Callable[..., tuple[Tensor, State]],
    cell: Cell,
    x: Tensor,
    counts: Tensor,
    state: State,
    reverse: bool,
    **given: Tensor,
) -> tuple[Tensor, State]:
    """`how`, for a cell that sees earlier inputs too; in reverse, gaps are those to the step that comes before then."""
    if reverse and "gap" in given:
        given["gap"] = _until_next(given["gap"], counts)
    if not cell.history:
        return how(cell, x, counts, state, reverse, **given)
    x, past = with_history(x, counts, state.past, reverse)
    y, final = how(cell, x, counts, state, reverse, **given)
    return y, final._replace(past=past)


def _loop(
    cell: Cell, x: Tensor, counts: Tensor, state: State, reverse: bool = False, **given: Tensor
) -> tuple[Tensor, State]:
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
