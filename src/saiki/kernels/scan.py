"""The linear recurrence of cells that are parallel over time, in one fused pass of native code.

    y_t = decay_t ∘ y_{t-1} + inflow_t

Packed as in `saiki.kernels.unroll`: at time t the first `counts[t]` rows are active. On a CPU one pass over memory beats the
parallel scans that graphics processors need: it reads every number once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saiki.cells.base import LinearCell, State
from saiki.errors import SaikiError
from saiki.kernels.autograd import beyond_kernels, compact, in_memory
from saiki.kernels.table import native, why_no_native
from saiki.shapes import Float, Int


def scan(
    decay: Float[Tensor, "steps width"],
    inflow: Float[Tensor, "steps width"],
    initial: Float[Tensor, "batch width"],
    counts: Int[Tensor, "time"],
    reverse: bool = False,
) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "batch width"]]:
    """y of every step and the last y of every row (its initial state where it has no step), differentiable at will.

    Raises:
        SaikiError: the native extension is not built.
    """
    if native is None:
        raise SaikiError(why_no_native)
    if not decay.numel():
        return inflow + 0 * decay, initial + 0
    if not (in_memory(inflow) and in_memory(initial)):
        return _step_by_step(decay, inflow, initial, counts, reverse)
    return _Scan.apply(compact(decay), compact(inflow), compact(initial), counts, reverse)


def unroll_linear(
    cell: LinearCell, gates: Float[Tensor, "steps gates"], counts: Int[Tensor, "time"], state: State, reverse: bool
) -> tuple[Float[Tensor, "steps output_width"], State]:
    """Outputs of every step and the final state of a cell whose `step` is the one of `LinearCell`."""
    decay, inflow = cell.coefficients(gates)
    h, final = scan(decay.expand_as(inflow), inflow, state.h, counts, reverse)
    return cell.output(gates, state._replace(h=h)), state._replace(h=final)


def _step_by_step(
    decay: Tensor, inflow: Tensor, initial: Tensor, counts: Tensor, reverse: bool
) -> tuple[Tensor, Tensor]:
    """`scan` in plain torch, which every transform knows."""
    rows, h = counts.tolist(), initial
    decays, inflows, outputs = decay.split(rows), inflow.split(rows), [initial] * len(rows)
    for t in reversed(range(len(rows))) if reverse else range(len(rows)):
        outputs[t] = decays[t] * h[: rows[t]] + inflows[t]
        h = torch.cat([outputs[t], h[rows[t] :]])
    return torch.cat(outputs), h


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, decay, inflow, initial, counts, reverse):
        y, final = torch.empty_like(inflow), torch.empty_like(initial)
        native.scan_forward(decay, inflow, initial, counts, reverse, y, final, torch.get_num_threads())
        ctx.save_for_backward(decay, initial, counts, y)
        ctx.reverse = reverse
        ctx.set_materialize_grads(False)
        return y, final

    @staticmethod
    def backward(ctx: Any, dy, dfinal):
        if dy is None and dfinal is None:
            return None, None, None, None, None
        decay, initial, counts, y = ctx.saved_tensors
        if beyond_kernels((dy, dfinal)):
            dy = torch.zeros_like(y) if dy is None else dy
            dfinal = torch.zeros_like(initial) if dfinal is None else dfinal
            return *_gradients(decay, initial, counts, ctx.reverse, y, dy, dfinal), None, None
        dy, dfinal = (None if g is None else compact(g) for g in (dy, dfinal))
        ddecay, dinflow, dinitial = torch.empty_like(y), torch.empty_like(y), torch.empty_like(initial)
        native.scan_backward(
            decay, initial, counts, ctx.reverse, y, dy, dfinal, ddecay, dinflow, dinitial, torch.get_num_threads()
        )
        return ddecay, dinflow, dinitial, None, None


def _gradients(decay, initial, counts, reverse, y, dy, dfinal) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients as a scan the other way, which has gradients itself.

    dinflow_t = dy_t + decay_{t+1} ∘ dinflow_{t+1},   ddecay_t = dinflow_t ∘ y_{t-1},   dinitial = decay_1 ∘ dinflow_1
    """
    row, earlier, later = _neighbours(counts)
    before, after = (later, earlier) if reverse else (earlier, later)
    decay_after = torch.cat([decay, torch.ones_like(initial)])[after]
    dinflow, first = scan(decay_after, dy, dfinal, counts, not reverse)
    begins = before >= len(y)
    decay_first = torch.ones_like(initial).index_copy(0, row[begins], decay[begins])
    return dinflow * torch.cat([y, initial])[before], dinflow, decay_first * first


def _neighbours(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of every packed step: its row, and the places of the row's steps before and after it; steps + row where none is."""
    rows = torch.cat([torch.arange(n) for n in counts.tolist()])
    steps = len(rows)
    place, own = torch.arange(steps), counts.repeat_interleave(counts)
    last = torch.cat([counts.new_zeros(1), counts[:-1]]).repeat_interleave(counts)  # rows active a step earlier
    following = torch.cat([counts[1:], counts.new_zeros(1)]).repeat_interleave(counts)
    earlier = torch.where(last > 0, place - last, steps + rows)
    return rows, earlier, torch.where(rows < following, place + own, steps + rows)
