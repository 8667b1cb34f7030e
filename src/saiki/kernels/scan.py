"""The linear recurrence of cells that are parallel over time, in one fused pass of native code.

    y_t = decay_t ∘ y_{t-1} + inflow_t

Packed as in `saiki.kernels.unroll`: at time t the first `counts[t]` rows are active. On a CPU one pass over memory beats the
parallel scans that graphics processors need: it reads every number once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saiki.errors import SaikiError
from saiki.kernels.table import native, why_no_native
from saiki.shapes import Float, Int


def can_scan(first: Tensor, *others: Tensor) -> bool:
    """Whether `scan` computes on this device and dtype, which must be one; compiled graphs keep the loop."""
    if native is None or torch.compiler.is_compiling():
        return False
    fits = first.device.type == "cpu" and first.dtype in (torch.float32, torch.float64)
    return fits and all(other.dtype is first.dtype and other.device == first.device for other in others)


def scan(
    decay: Float[Tensor, "steps width"],
    inflow: Float[Tensor, "steps width"],
    initial: Float[Tensor, "batch width"],
    counts: Int[Tensor, "time"],
    reverse: bool = False,
) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "batch width"]]:
    """y of every step and the last y of every row (its initial state where it has no step).

    Gradients of gradients are those of the plain loop.

    Raises:
        SaikiError: the native extension is not built.
    """
    if native is None:
        raise SaikiError(why_no_native)
    if not decay.numel():
        return inflow + 0 * decay, initial + 0
    return _Scan.apply(decay, inflow, initial, counts, reverse)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, decay, inflow, initial, counts, reverse):
        decay, inflow, initial = decay.contiguous(), inflow.contiguous(), initial.contiguous()
        y, final = torch.empty_like(inflow), torch.empty_like(initial)
        native.scan_forward(decay, inflow, initial, counts, reverse, y, final, torch.get_num_threads())
        ctx.save_for_backward(decay, inflow, initial, counts, y)
        ctx.reverse = reverse
        ctx.set_materialize_grads(False)
        return y, final

    @staticmethod
    def backward(ctx: Any, dy, dfinal):
        if dy is None and dfinal is None:
            return None, None, None, None, None
        decay, inflow, initial, counts, y = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_by_the_loop(decay, inflow, initial, counts, ctx.reverse, dy, dfinal), None, None
        dy, dfinal = (None if g is None else g.contiguous() for g in (dy, dfinal))
        ddecay, dinflow, dinitial = torch.empty_like(y), torch.empty_like(y), torch.empty_like(initial)
        native.scan_backward(
            decay, initial, counts, ctx.reverse, y, dy, dfinal, ddecay, dinflow, dinitial, torch.get_num_threads()
        )
        return ddecay, dinflow, dinitial, None, None


def _by_the_loop(
    decay: Tensor,
    inflow: Tensor,
    initial: Tensor,
    counts: Tensor,
    reverse: bool,
    dy: Tensor | None,
    dfinal: Tensor | None,
) -> list[Tensor | None]:
    """Gradients that have gradients themselves: those of the plain loop, which is computed again."""
    inputs = [decay, inflow, initial]
    rows = counts.tolist()
    decays, inflows = decay.split(rows), inflow.split(rows)
    outputs, last = [initial[:0]] * len(rows), initial
    for t in reversed(range(len(rows))) if reverse else range(len(rows)):
        outputs[t] = decays[t] * last[: rows[t]] + inflows[t]
        last = torch.cat([outputs[t], last[rows[t] :]])
    given = [(out, grad) for out, grad in ((torch.cat(outputs), dy), (last, dfinal)) if grad is not None]
    wanted = [part for part in inputs if part.requires_grad]
    outs, weighed = [out for out, _ in given], [grad for _, grad in given]
    grads = iter(torch.autograd.grad(outs, wanted, weighed, create_graph=True, allow_unused=True))
    return [next(grads) if part.requires_grad else None for part in inputs]
