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


def can_scan(decay: Tensor) -> bool:
    """Whether `scan` computes on this device and dtype."""
    return native is not None and decay.device.type == "cpu" and decay.dtype in (torch.float32, torch.float64)


def scan(
    decay: Float[Tensor, "steps width"],
    inflow: Float[Tensor, "steps width"],
    initial: Float[Tensor, "batch width"],
    counts: Int[Tensor, "time"],
    reverse: bool = False,
) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "batch width"]]:
    """y of every step and the last y of every row (its initial state where it has no step), differentiable once.

    Raises:
        SaikiError: the native extension is not built, or gradients of gradients are asked.
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
        ctx.save_for_backward(decay, initial, counts, y)
        ctx.reverse = reverse
        ctx.set_materialize_grads(False)
        return y, final

    @staticmethod
    def backward(ctx: Any, dy, dfinal):
        if torch.is_grad_enabled():
            raise SaikiError("gradients of gradients of a scan: use the reference, not the kernel")
        if dy is None and dfinal is None:
            return None, None, None, None, None
        decay, initial, counts, y = ctx.saved_tensors
        dy, dfinal = (None if g is None else g.contiguous() for g in (dy, dfinal))
        ddecay, dinflow, dinitial = torch.empty_like(y), torch.empty_like(y), torch.empty_like(initial)
        native.scan_backward(
            decay, initial, counts, ctx.reverse, y, dy, dfinal, ddecay, dinflow, dinitial, torch.get_num_threads()
        )
        return ddecay, dinflow, dinitial, None, None
