"""Run a cell over a whole ragged batch in native code, forward and backward.

    y_t, s_t = cell(x_t, s_{t-1})      for every row of the batch and each of its valid steps

`x` is packed, or padded. Packed as in `torch.nn.utils.rnn.PackedSequence`: rows are sorted by length, longest first; at time t
the first `counts[t]` of them are active and own the next `counts[t]` lines of `x` and of `y`. Padded, `counts` are the lengths
of its rows in any order, and the padding of `y` becomes zero, whatever stands in that of `x`. In reverse, every row starts at
its own last step. Rows of length 0 keep their initial state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from saiki.cells.base import Cell, LinearCell, State
from saiki.errors import SaikiError
from saiki.kernels.reservoir import unroll_reservoir
from saiki.kernels.scan import unroll_linear
from saiki.kernels.steps import unroll_steps
from saiki.kernels.table import RESERVOIR, SCAN, STEPS, Row, native, say_once, why_no_native

#: the same answer by plain torch, for what the kernels cannot do: (x, state, weights, counts, reverse) -> (y, final)
Reference = Callable[
    [Tensor, tuple[Tensor, ...], tuple[Tensor | None, ...], Any, bool], tuple[Tensor, tuple[Tensor, ...]]
]


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
    if native is None:
        raise SaikiError(why_no_native)
    state, weights = tuple(state), tuple(weights)
    if x.shape[0] == 0:
        return _no_steps(x, state, weights)
    grad = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *state, *weights))
    if torch.compiler.is_compiling() or type(x) is not Tensor:
        assert x.dim() == 2, "torch.compile sees packed sequences only"
        assert counts is not None
        y, final, _ = _forward_op(kernel, x, state, weights, counts, reverse, grad)
        return y, final.unbind(0)
    if not grad:
        y, final, _ = _forward(kernel, x, state, weights, counts, reverse, batch_first, save=False)
        return y, final
    y, *final = _Unroll.apply(kernel, counts, reverse, batch_first, reference, len(state), x, *state, *weights)
    return y, tuple(final)


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
        given: what `cell.needs` beside x; only cells of the scan may need anything.
    """
    if row is SCAN:
        assert isinstance(cell, LinearCell)
        return unroll_linear(cell, cell.project(x, **given), counts, state, reverse)
    if row in STEPS.values():
        return unroll_steps(cell, x, counts, state, reverse, reference)
    if row is RESERVOIR:
        return unroll_reservoir(cell, cell.project(x, **given), counts, state, reverse)
    weights = cell.weights()

    def again(x: Tensor, before: tuple[Tensor, ...], weights: tuple[Tensor | None, ...], counts: Tensor, reverse: bool):
        if any(now is not then for now, then in zip(cell.weights(), weights, strict=True)):
            raise SaikiError(
                "gradients of gradients need the weights that the cell had in its forward pass; they were replaced"
            )
        return reference(cell, x, counts, type(state)(*before), reverse)

    y, final = unroll(row.kernel, x, state, weights, counts, reverse, again)
    return y, type(state)(*final)


def _no_steps(
    x: Tensor, state: tuple[Tensor, ...], weights: tuple[Tensor | None, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Nothing to compute, but gradients are zeros, not None."""
    y = torch.nn.functional.linear(x, weights[0][: state[0].shape[1]])
    nothing = sum(w.sum() * 0 for w in weights if w is not None and w.requires_grad)
    return y, tuple(s + nothing for s in state)


def _compact(tensors: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    return tuple([t if t is None or t.is_contiguous() else t.contiguous() for t in tensors])


def _forward(
    kernel, x, state, weights, counts, reverse, batch_first, save
) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
    width = state[0].shape[1]
    steps = sum(counts.tolist()) if x.dim() == 3 and counts is not None else x.shape[:-1].numel()
    x, counts, *rest = _compact((x, counts, *state, *weights))
    state, weights = tuple(rest[: len(state)]), tuple(rest[len(state) :])
    y = x.new_empty((*x.shape[:-1], width))
    final = tuple([torch.empty_like(s) for s in state])
    saved = x.new_empty((steps, native.saved_width(kernel, x.dtype is torch.float64, width))) if save else None
    native.forward(kernel, x, state, weights, counts, reverse, batch_first, y, final, saved, torch.get_num_threads())
    return y, final, saved


def _backward(
    kernel, x, state, weights, counts, reverse, batch_first, y, saved, dy, dfinal, need_x, need_state=True
) -> tuple[Tensor | None, tuple[Tensor | None, ...], tuple[Tensor | None, ...]]:
    x, counts, *rest = _compact((x, counts, *state, *weights))
    state, weights = tuple(rest[: len(state)]), tuple(rest[len(state) :])
    dx = torch.empty_like(x) if need_x else None
    dstate = tuple([torch.empty_like(s) if need_state else None for s in state])
    dweights = tuple([None if w is None else torch.empty_like(w) for w in weights])
    dy, *dfinal = _compact((dy, *dfinal))
    native.backward(
        kernel, x, state, weights, counts, reverse, batch_first, y, saved, dy, tuple(dfinal), dx, dstate, dweights,
        torch.get_num_threads(),
    )  # fmt: skip
    return dx, dstate, dweights


class _Unroll(torch.autograd.Function):
    """The eager path: less overhead than a custom op, and gradients of gradients through the reference."""

    @staticmethod
    def forward(ctx: Any, kernel, counts, reverse, batch_first, reference, states, x, *tensors):
        state, weights = tensors[:states], tensors[states:]
        y, final, saved = _forward(kernel, x, state, weights, counts, reverse, batch_first, save=True)
        ctx.save_for_backward(x, y, saved, counts, *tensors)
        ctx.how = kernel, reverse, batch_first, reference, states
        ctx.set_materialize_grads(False)
        return y, *final

    @staticmethod
    def backward(ctx: Any, dy, *dfinal):
        kernel, reverse, batch_first, reference, states = ctx.how
        x, y, saved, counts, *tensors = ctx.saved_tensors
        state, weights = tensors[:states], tensors[states:]
        if torch.is_grad_enabled():
            grads = _differentiable(reference, x, state, weights, counts, reverse, dy, dfinal)
            return None, None, None, None, None, None, *grads
        if dy is None and all(d is None for d in dfinal):
            return (None,) * (7 + len(tensors))
        need_x, need_state = ctx.needs_input_grad[6], any(ctx.needs_input_grad[7 : 7 + states])
        dx, dstate, dweights = _backward(
            kernel, x, state, weights, counts, reverse, batch_first, y, saved, dy, dfinal, need_x, need_state
        )
        return None, None, None, None, None, None, dx, *dstate, *dweights


def _differentiable(reference, x, state, weights, counts, reverse, dy, dfinal) -> list[Tensor | None]:
    """Gradients that can be differentiated again (create_graph=True): the reference computes them, the kernel cannot."""
    if reference is None:
        raise SaikiError(
            "gradients of gradients need the reference: pass reference= to unroll, or do not use create_graph=True"
        )
    say_once("create_graph=True: gradients come from the reference, not from the kernel")
    y, final = reference(x, tuple(state), tuple(weights), counts, reverse)
    pairs = [(o, g) for o, g in zip((y, *final), (dy, *dfinal), strict=True) if g is not None and o.requires_grad]
    inputs = [x, *state, *weights]
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
    weights: Sequence[Tensor | None],
    counts: Tensor,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    y, final, saved = _forward(kernel, x, state, weights, counts, reverse, False, save)
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
    kernel: str, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor | None], counts: Tensor, reverse: bool,
    y: Tensor, saved: Tensor, dy: Tensor | None, dfinal: Tensor | None, need_x: bool,
) -> list[Tensor]:  # fmt: skip
    parts = [None] * len(state) if dfinal is None else dfinal.unbind(0)
    dx, dstate, dweights = _backward(kernel, x, state, weights, counts, reverse, False, y, saved, dy, parts, need_x)
    return [x.new_empty(0) if dx is None else dx, *dstate, *(w for w in dweights if w is not None)]


@_backward_op.register_fake
def _(kernel, x, state, weights, counts, reverse, y, saved, dy, dfinal, need_x):
    like = [*state, *(w for w in weights if w is not None)]
    return [torch.empty_like(x) if need_x else x.new_empty(0), *(torch.empty_like(t) for t in like)]


def _remember(ctx: Any, inputs, output) -> None:
    kernel, x, state, weights, counts, reverse, save = inputs
    y, _, saved = output
    if not save:
        raise SaikiError("a gradient was asked of a saiki::unroll that saved nothing for it (save=False)")
    given = [w is not None for w in weights]
    ctx.save_for_backward(x, y, saved, counts, *state, *(w for w in weights if w is not None))
    ctx.how = kernel, reverse, len(state), given
    ctx.set_materialize_grads(False)


def _op_gradient(ctx: Any, dy, dfinal, _):
    kernel, reverse, states, given = ctx.how
    x, y, saved, counts, *tensors = ctx.saved_tensors
    rest = iter(tensors[states:])
    weights = [next(rest) if g else None for g in given]
    need_x = ctx.needs_input_grad[1]
    dx, *grads = _backward_op(kernel, x, tensors[:states], weights, counts, reverse, y, saved, dy, dfinal, need_x)
    rest = iter(grads[states:])
    dweights = [next(rest) if g else None for g in given]
    return None, dx if need_x else None, grads[:states], dweights, None, None, None


_forward_op.register_autograd(_op_gradient, setup_context=_remember)
