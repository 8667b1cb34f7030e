"""Padded batches to packed steps and back: the layout in which the recurrence runs.

Rows are sorted by length, longest first; the steps of one time stand together and times follow each other, so that at
time t the first `counts[t]` rows are active and no padded step exists. It is the layout of
`torch.nn.utils.rnn.PackedSequence`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from saiki.errors import DataError
from saiki.shapes import Float, Int


class Packing(NamedTuple):
    """How the rows of a padded batch lie in a packed one; None stands for what a full batch does not need."""

    counts: Int[Tensor, "time"]  # active rows at each time, on the CPU
    batch: int
    time: int  # of the padded batch
    order: Int[Tensor, "batch"] | None  # packed row -> batch row
    back: Int[Tensor, "batch"] | None  # batch row -> packed row
    index: Int[Tensor, "steps"] | None  # packed step -> time * batch + batch row

    def pack(self, x: Float[Tensor, "time batch features"]) -> Float[Tensor, "steps features"]:
        flat = x.reshape(self.time * self.batch, *x.shape[2:])
        return flat if self.index is None else flat.index_select(0, self.index)

    def pad(self, values: Float[Tensor, "steps width"]) -> Float[Tensor, "time batch width"]:
        """The padding becomes zero."""
        shape = (self.time, self.batch, *values.shape[1:])
        if self.index is None:
            return values.reshape(shape)
        flat = values.new_zeros(self.time * self.batch, *values.shape[1:])
        return flat.index_copy(0, self.index, values).reshape(shape)

    def sort(self, rows: Tensor) -> Tensor:
        """Batch order to packed order, along the first axis."""
        return rows if self.order is None else rows.index_select(0, self.order)

    def unsort(self, rows: Tensor) -> Tensor:
        """Packed order to batch order, along the first axis."""
        return rows if self.back is None else rows.index_select(0, self.back)


def packing(lengths: Tensor | None, batch: int, time: int, device: torch.device | None = None) -> Packing:
    """The packing of a padded batch `[time, batch, …]`; no lengths: every row is full.

    `lengths [batch]` may be on any device, in any order, and 0; a length below 0 or above `time` is an error.
    """
    if lengths is None:
        return Packing(torch.full((time if batch else 0,), batch), batch, time, None, None, None)
    return _ragged_packing(lengths, batch, time, device)  # pyright: ignore[reportCallIssue]


@torch.compiler.disable  # how many steps there are is known only from the numbers
def _ragged_packing(lengths: Tensor, batch: int, time: int, device: torch.device | None) -> Packing:
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise DataError(f"lengths: got {lengths.dtype}; expected whole numbers, one per row")
    lengths = lengths.detach().to("cpu", torch.int64)
    if lengths.shape != (batch,):
        raise DataError(f"lengths: got shape {tuple(lengths.shape)}; expected ({batch},), one length per row")
    shortest, longest = (int(lengths.min()), int(lengths.max())) if batch else (time, time)
    if not 0 <= shortest <= longest <= time:
        raise DataError(f"lengths: got values from {shortest} to {longest}; expected 0 to {time}, the time axis")
    if shortest == time:
        return packing(None, batch, time, device)
    order = torch.argsort(lengths, descending=True, stable=True)
    active = torch.arange(longest)[:, None] < lengths[order]  # [longest, batch]
    index = (torch.arange(longest)[:, None] * batch + order)[active]
    back = torch.empty_like(order).scatter_(0, order, torch.arange(batch))
    return Packing(active.sum(1), batch, time, order.to(device), back.to(device), index.to(device))
