"""Run a cell over a whole ragged batch in native code, forward and backward.

    y_t, s_t = cell(x_t, s_{t-1})      for every row of the batch and each of its valid steps

`x` is packed, or padded. Packed as in `torch.nn.utils.rnn.PackedSequence`: rows are sorted by length, longest first; at time t
the first `counts[t]` of them are active and own the next `counts[t]` lines of `x` and of `y`. Padded, `counts` are the lengths
of its rows in any order, and the padding of `y` becomes zero, whatever stands in that of `x`. In reverse, every row starts at
its own last step. Rows of length 0 keep their initial state.

States are `[batch, width]`, or `[1, batch, width]` as `torch.nn` has those of one layer, and the final ones are shaped alike.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from saiki.cells.base import Cell, LinearCell, State
from saiki.errors import SaikiError
from saiki.kernels.autograd import EagerFunction, alias, beyond_kernels, compact
from saiki.kernels.reservoir import unroll_reservoir
from saiki.kernels.scan import unroll_linear
from saiki.kernels.steps import unroll_steps
from saiki.kernels.table import RESERVOIR, SCAN, STEPS, Row, native, say_once, why_no_native

#: the same answer by plain torch, for what the kernels cannot do: (x, state, weights, counts, reverse) -> (y, final)
Reference = Callable[
    [Tensor, tuple[Tensor, ...], tuple[Tensor | None, ...], Any, bool], tuple[Tensor, tuple[Tensor, ...]]
]
#: (state, weights, reverse); None for a state of zeros, where every row has a step
Direction = tuple[Sequence["Tensor | None"], Sequence["Tensor | None"], bool]


def unroll(
    kernel: str,
    x: Tensor,  # [steps, features], or padded: [time, batch, features], [batch, time, features] with batch_first
    state: Sequence[Tensor],  # each [batch, width]
    weights: Sequence[Tensor | None],  # weight_ih, weight_hh, bias_ih, bias_hh
    counts: Tensor | None,  # int64, on the CPU: [time] rows active, or padded: [batch] lengths; None: all rows are full
    reverse: bool = False,
    reference: Reference | None = None,
    batch_first: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """y, shaped as x with `width` numbers per step, and the final state, differentiable in x, state and weights.

    Args:
        kernel: name of a row of `saiki.kernels.table`, as `choose` gives it.
        reference: gives gradients of gradients; without it they are an error.
        batch_first: layout of a padded x. Padded batches need at least one step, and are not for torch.compile.
    """
    (answer,) = unroll_layer(kernel, x, [(state, weights, reverse)], counts, reference, batch_first)
    return answer


def unroll_layer(
    kernel: str,
    x: Tensor,
    directions: Sequence[Direction],
    counts: Tensor | None,
    reference: Reference | None = None,
    batch_first: bool = False,
    stacked: bool = False,
) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
    """`unroll` in one direction, or in two at once: on an even number of threads each has half of them.

    Args:
        stacked: the final states of a state that is None are `[1, batch, width]`.
    """
    if native is None:
        raise SaikiError(why_no_native)
    if x.shape[0] == 0 or torch.compiler.is_compiling() or type(x) not in (Tensor, nn.Parameter):
        return _without_autograd_function(kernel, x, directions, counts, batch_first, stacked)
    tensors = [t for state, weights, _ in directions for t in (*state, *weights)]
    if not torch.is_grad_enabled() or not any(t is not None and t.requires_grad for t in (x, *tensors)):
        return [(y, final) for y, final, _ in _forward(kernel, x, directions, counts, batch_first, stacked, save=False)]
    states, reverses = len(directions[0][0]), [reverse for _, _, reverse in directions]
    found = _Unroll.apply(kernel, counts, reverses, (batch_first, stacked), reference, states, x, *tensors)
    return [(found[k], found[k + 1 : k + 1 + states]) for k in range(0, len(found), 1 + states)]


def _without_autograd_function(
    kernel: str, x: Tensor, directions: Sequence[Direction], counts: Tensor | None, batch_first: bool, stacked: bool
) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
    """What has no steps, and what torch.compile traces."""
    given = [
        (_present(x, state, weights, counts, batch_first, stacked), tuple(weights), reverse)
        for state, weights, reverse in directions
    ]
    if x.shape[0] == 0:
        return [_no_steps(x, state, weights) for state, weights, _ in given]
    assert x.dim() == 2, "torch.compile sees packed sequences only"
    assert counts is not None
    found = []
    for state, weights, reverse in given:
        grad = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *state, *weights))
        rows = [part.reshape(part.shape[-2:]) for part in state]
        absent = x.new_empty(0)  # a list with a None in it is none of tensors, and has no gradients
        every = [absent if w is None else w for w in weights]
        y, final, _ = _forward_op(kernel, x, rows, every, counts, reverse, grad)
        found.append((y, tuple(last.reshape(part.shape) for last, part in zip(final.unbind(0), state, strict=True))))
    return found


def _present(x: Tensor, state: Sequence[Tensor | None], *how: Any) -> tuple[Tensor, ...]:
    """The state, with zeros where it is None; `how` as for `_shape_of_state`."""
    shape = _shape_of_state(x, state, *how)
    return tuple([x.new_zeros(shape) if part is None else part for part in state])


def _shape_of_state(
    x: Tensor,
    state: Sequence[Tensor | None],
    weights: Sequence[Tensor | None],
    counts: Any,
    batch_first: bool,
    stacked: bool,
) -> tuple[int, ...]:
    """That of the parts that are None; of none, nothing."""
    if all(part is not None for part in state):
        return ()
    weight_hh = weights[1]
    assert weight_hh is not None
    rows = x.shape[0 if batch_first else 1] if x.dim() == 3 else int(counts[0])
    return (1, rows, weight_hh.shape[1]) if stacked else (rows, weight_hh.shape[1])


def run(
    row: Row,
    cell: Cell,
    x: Tensor,
    counts: Tensor,
    state: State,
    reverse: bool,
    reference: Callable[..., tuple[Tensor, State]],
    **given: Tensor,
) -> tuple[Tensor, State]:
    """`unroll`, or the scan, for a cell and the row that `choose` gave for it.

    Args:
        reference: `(cell, x, counts, state, reverse) -> (y, final)`, used for gradients of gradients.
        given: what `cell.needs` beside x.
    """
    if row is SCAN:
        assert isinstance(cell, LinearCell)
        return unroll_linear(cell, cell.project(x, **given), counts, state, reverse)
    if row in STEPS.values():
        return unroll_steps(cell, x, counts, state, reverse, reference, **given)
    if row is RESERVOIR:
        return unroll_reservoir(cell, cell.project(x, **given), counts, state, reverse)
    y, final = unroll(row.kernel, x, state, cell.weights(), counts, reverse, _again([(cell, state)], reference))
    return y, type(state)(*final)


def run_both(
    row: Row,
    cells: Sequence[Cell],
    x: Tensor,
    counts: Tensor,
    states: Sequence[State],
    reference: Callable[..., tuple[Tensor, State]],
) -> list[tuple[Tensor, State]]:
    """`run` for the two directions of a layer whose cells share a row of `ROWS`."""
    directions = [(state, cell.weights(), k == 1) for k, (cell, state) in enumerate(zip(cells, states, strict=True))]
    again = _again(list(zip(cells, states, strict=True)), reference)
    found = unroll_layer(row.kernel, x, directions, counts, again)
    return [(y, type(state)(*final)) for (y, final), state in zip(found, states, strict=True)]


def _again(cells: Sequence[tuple[Cell, State]], reference: Callable[..., tuple[Tensor, State]]) -> Reference:
    """The reference of cells, forwards and in reverse, as `unroll` takes it."""

    def again(x: Tensor, before: tuple[Tensor, ...], weights: tuple[Tensor | None, ...], counts: Tensor, reverse: bool):
        cell, state = cells[int(reverse and len(cells) > 1)]
        return reference(cell.using(weights), x, counts, type(state)(*before), reverse)

    return again


def _no_steps(
    x: Tensor, state: tuple[Tensor, ...], weights: tuple[Tensor | None, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Nothing to compute, but gradients are zeros, not None."""
    y = torch.nn.functional.linear(x, weights[0][: state[0].shape[-1]])
    nothing = sum(w.sum() * 0 for w in weights if w is not None and w.requires_grad)
    return y + nothing, tuple(s + nothing for s in state)


def _compact(tensors: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    return tuple([None if t is None else compact(t) for t in tensors])


def _without_absent(weights: Sequence[Tensor]) -> list[Tensor | None]:
    """The weights of a custom operator: an empty vector stands for None."""
    return [None if w.dim() == 1 and not len(w) else w for w in weights]


@functools.cache
def _saved_width(kernel: str, float64: bool, width: int) -> int:
    """Numbers per step that the forward pass keeps for the backward pass."""
    return native.saved_width(kernel, float64, width)


def _forward(
    kernel, x, directions, counts, batch_first, stacked, save
) -> list[tuple[Tensor, tuple[Tensor, ...], Tensor | None]]:
    """(y, final, saved) of every direction."""
    width = directions[0][1][1].shape[1]
    *lines, _ = x.shape
    steps = sum(counts.tolist()) if len(lines) == 2 and counts is not None else math.prod(lines)
    saved_width = _saved_width(kernel, x.dtype is torch.float64, width) if save else 0
    x, counts = _compact((x, counts))
    calls = []
    for state, weights, reverse in directions:
        shape = _shape_of_state(x, state, weights, counts, batch_first, stacked)
        state = _compact(state)
        final = tuple([x.new_empty(shape) if s is None else torch.empty_like(s) for s in state])
        saved = x.new_empty(steps, saved_width) if save else None
        given = kernel, x, state, _compact(weights), counts, reverse, batch_first
        calls.append((*given, x.new_empty(*lines, width), final, saved))
    native.forward(tuple(calls), torch.get_num_threads())
    return [call[7:] for call in calls]


def _backward(
    kernel, x, directions, counts, batch_first, done, need_x, need_state=True
) -> tuple[Tensor | None, list[tuple[tuple[Tensor | None, ...], tuple[Tensor | None, ...]]]]:
    """The gradient of x, and those of state and weights of every direction; `done` is (y, saved, dy, dfinal) of each."""
    x, counts = _compact((x, counts))
    calls = []
    for (state, weights, reverse), (y, saved, dy, dfinal) in zip(directions, done, strict=True):
        state, weights = _compact(state), _compact(weights)
        dx = torch.empty_like(x) if need_x else None
        dstate = tuple([None if s is None or not need_state else torch.empty_like(s) for s in state])
        dweights = tuple([None if w is None else torch.empty_like(w) for w in weights])
        given = kernel, x, state, weights, counts, reverse, batch_first
        calls.append((*given, y, saved, *_compact((dy,)), _compact(dfinal), dx, dstate, dweights))
    native.backward(tuple(calls), torch.get_num_threads())
    dx = calls[0][11]
    for call in calls[1:]:
        dx = None if dx is None else dx.add_(call[11])
    return dx, [call[12:] for call in calls]


class _Unroll(EagerFunction):
    """The eager path: less overhead than a custom op, and gradients of gradients through the reference."""

    @staticmethod
    def forward(ctx: Any, kernel, counts, reverses, layout, reference, states, x, *tensors):
        found = _forward(kernel, x, _directions(tensors, reverses, states), counts, *layout, save=True)
        ctx.save_for_backward(x, counts, *tensors, *[t for y, _, saved in found for t in (y, saved)])
        ctx.how = kernel, reverses, layout, reference, states
        ctx.set_materialize_grads(False)
        return tuple([t for y, final, _ in found for t in (y, *final)])

    @staticmethod
    def backward(ctx: Any, *grads):
        kernel, reverses, layout, reference, states = ctx.how
        x, counts, *tensors = ctx.saved_tensors
        tensors, outputs = tensors[: -2 * len(reverses)], tensors[-2 * len(reverses) :]
        directions = _directions(tensors, reverses, states)
        arrived = [(grads[k], grads[k + 1 : k + 1 + states]) for k in range(0, len(grads), 1 + states)]
        if beyond_kernels(grads):
            return *(None,) * 6, *_differentiable(reference, x, directions, counts, layout, arrived)
        if all(grad is None for grad in grads):
            return (None,) * (7 + len(tensors))
        need_x, need_state = ctx.needs_input_grad[6], any(_states(ctx.needs_input_grad[7:], len(reverses), states))
        done = [(*outputs[2 * k : 2 * k + 2], *grad) for k, grad in enumerate(arrived)]
        dx, found = _backward(kernel, x, directions, counts, layout[0], done, need_x, need_state)
        return *(None,) * 6, dx, *[grad for dstate, dweights in found for grad in (*dstate, *dweights)]


def _directions(tensors: Sequence[Any], reverses: Sequence[bool], states: int) -> list[Direction]:
    """From the tensors of all directions, one after the other, to each one's own."""
    each = len(tensors) // len(reverses)
    return [
        (tensors[k * each : k * each + states], tensors[k * each + states : (k + 1) * each], reverse)
        for k, reverse in enumerate(reverses)
    ]


def _states(flags: Sequence[bool], directions: int, states: int) -> list[bool]:
    """Of one flag for each tensor of all directions, those of the states."""
    each = len(flags) // directions
    return [flag for k in range(directions) for flag in flags[k * each : k * each + states]]


@torch.enable_grad()
def _differentiable(
    reference: Reference | None,
    x: Tensor,
    directions: Sequence[Direction],
    counts: Any,
    layout: tuple[bool, bool],
    arrived: Sequence[Any],
) -> list[Tensor | None]:
    """Gradients that can be differentiated again (create_graph=True): the reference computes them, the kernel cannot."""
    if reference is None:
        raise SaikiError(
            "gradients of gradients need the reference: pass reference= to unroll, or do not use create_graph=True"
        )
    say_once("create_graph=True: gradients come from the reference, not from the kernel")
    x = alias(x)  # one input may be made of another: see `alias`
    inputs, pairs = [x], []
    for (state, weights, reverse), (dy, dfinal) in zip(directions, arrived, strict=True):
        state, weights = [alias(t) for t in state], [alias(t) for t in weights]
        before = [part.reshape(part.shape[-2:]) for part in _present(x, state, weights, counts, *layout)]
        y, final = reference(x, tuple(before), tuple(weights), counts, reverse)
        both = zip((y, *final), (dy, *dfinal), strict=True)
        pairs += [(o, g.reshape(o.shape)) for o, g in both if g is not None and o.requires_grad]
        inputs += [*state, *weights]
    wanted = [t for t in inputs if t is not None and t.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    found = iter(
        torch.autograd.grad([o for o, _ in pairs], wanted, [g for _, g in pairs], create_graph=True, allow_unused=True)
    )
    return [next(found) if t is not None and t.requires_grad else None for t in inputs]


# The same two calls as custom operators, so that torch.compile and export see them. A width of 64 bytes per row of
# units is the same on every machine, so the shapes below are too.


@torch.library.custom_op("saiki::unroll", mutates_args=())
def _forward_op(
    kernel: str,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    counts: Tensor,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    directions = [(state, _without_absent(weights), reverse)]
    ((y, final, saved),) = _forward(kernel, x, directions, counts, False, False, save)
    return y, torch.stack(final), x.new_empty(0) if saved is None else saved


@_forward_op.register_fake
def _(kernel, x, state, weights, counts, reverse, save):
    steps, (batch, width) = x.shape[0], state[0].shape
    saved = (
        x.new_empty((steps, native.saved_width(kernel, x.dtype is torch.float64, width))) if save else x.new_empty(0)
    )
    return x.new_empty((steps, width)), x.new_empty((len(state), batch, width)), saved


@torch.library.custom_op("saiki::unroll_backward", mutates_args=())
def _backward_op(
    kernel: str, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor], counts: Tensor, reverse: bool,
    y: Tensor, saved: Tensor, dy: Tensor | None, dfinal: Tensor | None, need_x: bool,
) -> list[Tensor]:  # fmt: skip
    parts = [None] * len(state) if dfinal is None else dfinal.unbind(0)
    directions, done = [(state, _without_absent(weights), reverse)], [(y, saved, dy, parts)]
    dx, ((dstate, dweights),) = _backward(kernel, x, directions, counts, False, done, need_x)
    found = [x.new_empty(0) if w is None else w for w in dweights]
    return [x.new_empty(0) if dx is None else dx, *dstate, *found]


@_backward_op.register_fake
def _(kernel, x, state, weights, counts, reverse, y, saved, dy, dfinal, need_x):
    like = [*([x] if need_x else []), *state, *weights]
    found = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in like]
    return found if need_x else [x.new_empty(0), *found]


def _remember(ctx: Any, inputs, output) -> None:
    kernel, x, state, weights, counts, reverse, save = inputs
    y, _, saved = output
    if not save:
        raise SaikiError("a gradient was asked of a saiki::unroll that saved nothing for it (save=False)")
    ctx.save_for_backward(x, y, saved, counts, *state, *weights)
    ctx.how = kernel, reverse, len(state)
    ctx.set_materialize_grads(False)


def _op_gradient(ctx: Any, dy, dfinal, _):
    kernel, reverse, states = ctx.how
    x, y, saved, counts, *tensors = ctx.saved_tensors
    weights = tensors[states:]
    need_x = ctx.needs_input_grad[1]
    dx, *grads = _backward_op(kernel, x, tensors[:states], weights, counts, reverse, y, saved, dy, dfinal, need_x)
    return None, dx if need_x else None, grads[:states], grads[states:], None, None, None


_forward_op.register_autograd(_op_gradient, setup_context=_remember)
