"""Padded batches to packed steps and back: the layout in which the recurrence runs.

Rows are sorted by length, longest first; the steps of one time stand together and times follow each other, so that at
time t the first `counts[t]` rows are active and no padded step exists. It is the layout of
`torch.nn.utils.rnn.PackedSequence`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from saiki.errors import DataError
from saiki.network.eager import not_compiled
from saiki.shapes import Float, Int


class Packing(NamedTuple):
    """How the rows of a padded batch lie in a packed one; None stands for what a full batch does not need.

    The padded batch is `[time, batch, …]`, or `[batch, time, …]` with `batch_first`.
    """

    counts: Int[Tensor, "time"]  # active rows at each time, on the CPU
    batch: int
    time: int  # of the padded batch
    batch_first: bool = False
    order: Int[Tensor, "batch"] | None = None  # packed row -> batch row
    back: Int[Tensor, "batch"] | None = None  # batch row -> packed row
    index: Int[Tensor, "steps"] | None = (
        None  # packed step -> step of the padded batch, counted through its first two axes
    )
    place: Int[Tensor, "padded"] | None = None  # the other way round; the number of steps where there is padding

    def pack(self, x: Tensor) -> Float[Tensor, "steps features"]:
        """The valid steps of a padded batch; a full one that is not batch-first is not copied."""
        if self.index is None:
            x = x.transpose(0, 1) if self.batch_first else x
            return x.reshape(self.time * self.batch, *x.shape[2:])
        return _Move.apply(x.reshape(self.time * self.batch, *x.shape[2:]), self.index, self.place, False)

    def pad(self, values: Float[Tensor, "steps width"]) -> Tensor:
        """Back to a padded batch; the padding becomes zero."""
        if self.index is None:
            padded = values.reshape(self.time, self.batch, *values.shape[1:])
            return padded.transpose(0, 1) if self.batch_first else padded
        shape = (self.batch, self.time) if self.batch_first else (self.time, self.batch)
        return _Move.apply(values, self.place, self.index, True).reshape(*shape, *values.shape[1:])

    def sort(self, rows: Tensor) -> Tensor:
        """Batch order to packed order, along the first axis."""
        return rows if self.order is None else rows.index_select(0, self.order)

    def unsort(self, rows: Tensor) -> Tensor:
        """Packed order to batch order, along the first axis."""
        return rows if self.back is None else rows.index_select(0, self.back)


class _Move(torch.autograd.Function):
    """Rows gathered from `there`, zeros where it points past the end; the gradient is gathered from `back`.

    Gathering both ways is several times faster on a CPU than scattering, which autograd would do.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, there: Tensor, back: Tensor, past_the_end: bool) -> Tensor:
        if past_the_end:
            rows = torch.cat([rows, rows.new_zeros(1, *rows.shape[1:])])
        return rows.index_select(0, there)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, there, back, ctx.past_the_end = inputs
        ctx.save_for_backward(there, back)
        ctx.save_for_forward(there, back)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple:  # pyright: ignore[reportIncompatibleMethodOverride]
        there, back = ctx.saved_tensors
        return _Move.apply(gradient, back, there, not ctx.past_the_end), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        there, back = ctx.saved_tensors
        return _Move.apply(tangent, there, back, ctx.past_the_end)


def packing(
    lengths: Tensor | None, batch: int, time: int, device: torch.device | None = None, batch_first: bool = False
) -> Packing:
    """The packing of a padded batch; no lengths: every row is full.

    `lengths [batch]` may be on any device, in any order, and 0; a length below 0 or above `time` is an error.
    """
    if lengths is None:
        return Packing(torch.full((time if batch else 0,), batch), batch, time, batch_first)
    return _ragged_packing(as_lengths(lengths), batch, time, device, batch_first)  # pyright: ignore[reportCallIssue]


def as_lengths(lengths: Any, single: bool = False) -> Tensor:
    """Lengths as a tensor; those of a `single` sequence may be one number. DataError for what are no numbers."""
    if not isinstance(lengths, Tensor):
        try:
            lengths = torch.as_tensor(lengths)
        except (TypeError, ValueError, RuntimeError):
            raise DataError(f"lengths: got {lengths!r}; expected whole numbers, one per row") from None
    return lengths.reshape(1) if single and lengths.numel() == 1 else lengths


def checked_lengths(lengths: Tensor, batch: int, time: int) -> Int[Tensor, "batch"] | None:
    """The lengths as int64 on the CPU; None where every row is full. What cannot be lengths is an error."""
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise DataError(f"lengths: got {lengths.dtype}; expected whole numbers, one per row")
    lengths = lengths.detach().to("cpu", torch.int64, copy=True)  # the way back reads them again
    if lengths.shape != (batch,):
        raise DataError(f"lengths: got shape {tuple(lengths.shape)}; expected ({batch},), one length per row")
    numbers = lengths.tolist() or [time]
    shortest, longest = min(numbers), max(numbers)
    if not 0 <= shortest <= longest <= time:
        raise DataError(f"lengths: got values from {shortest} to {longest}; expected 0 to {time}, the time axis")
    return None if shortest == time else lengths


@not_compiled  # how many steps there are is known only from the numbers
def _ragged_packing(lengths: Tensor, batch: int, time: int, device: torch.device | None, batch_first: bool) -> Packing:
    if (given := checked_lengths(lengths, batch, time)) is None:
        return packing(None, batch, time, device, batch_first)
    lengths, longest = given, int(given.max())
    order = torch.argsort(lengths, descending=True, stable=True)
    times = torch.arange(longest)[:, None]
    active = times < lengths[order]  # [longest, batch]
    index = (times + order * time if batch_first else times * batch + order)[active]
    back = torch.empty_like(order).scatter_(0, order, torch.arange(batch))
    place = torch.full((time * batch,), len(index)).index_copy_(0, index, torch.arange(len(index)))
    maps = (m.to(device) for m in (order, back, index, place))
    return Packing(active.sum(1), batch, time, batch_first, *maps)
