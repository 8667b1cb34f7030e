"""A reservoir over whole packed sequences in native code: its matrix is constant, so that only what is not zero is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from saiki.cells.base import Cell, State
from saiki.errors import SaikiError
from saiki.kernels.autograd import compact
from saiki.kernels.table import native, why_no_native
from saiki.shapes import Float, Int

#: entries of the matrix per lane below which threads that share the units of one row wait for each other longer than they save
ENTRIES_PER_LANE = 16_384
#: attribute of cells whose weights are known not to change for now
STEADY = "_steady"


class Sparse(NamedTuple):
    """The entries of a matrix that are not zero, row after row."""

    starts: Int[Tensor, "more"]  # where every row begins, and the number of entries
    columns: Int[Tensor, "entries"]  # int32
    weights: Float[Tensor, "entries"]


def sparse(matrix: Float[Tensor, "width width"]) -> Sparse:
    """Row by row, without the zeros."""
    matrix = matrix.detach()
    rows, columns = matrix.nonzero(as_tuple=True)
    starts = torch.zeros(len(matrix) + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(rows, minlength=len(matrix)).cumsum(0)
    return Sparse(starts, columns.to(torch.int32), matrix[rows, columns].contiguous())


def reservoir(
    drive: Float[Tensor, "steps width"],
    matrix: Sparse,
    initial: Float[Tensor, "batch width"],
    counts: Int[Tensor, "time"],
    reverse: bool = False,
    *,
    leak: float = 1.0,
    squash: bool = True,
) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "batch width"]]:
    """States of every step and the last of every row; no gradient.

        h_t = (1 - leak) h_{t-1} + leak f(drive_t + W h_{t-1}),   f = tanh, or the identity without `squash`

    Raises:
        SaikiError: the native extension is not built.
    """
    if native is None:
        raise SaikiError(why_no_native)
    drive, initial = compact(drive.detach()), compact(initial.detach())
    y, final = torch.empty_like(drive), torch.empty_like(initial)
    if not drive.numel():
        return y, final.copy_(initial)
    threads = torch.get_num_threads()
    if len(initial) < threads:
        threads = max(1, min(threads, len(matrix.weights) // ENTRIES_PER_LANE))
    native.reservoir(drive, *matrix, leak, squash, initial, counts, reverse, y, final, threads)
    return y, final


def _matrix(cell: Cell) -> Sparse:
    """The sparse matrix of a cell `echo_state`, kept until the weight changes."""
    weight: Tensor = cell.weight_hh  # pyright: ignore[reportAssignmentType]
    kept = cell.__dict__.get("_sparse")
    if kept is None or not (
        STEADY in cell.__dict__ or (kept[0].dtype == weight.dtype and torch.equal(kept[0], weight))
    ):
        kept = weight.detach().clone(), sparse(weight)
        cell.__dict__["_sparse"] = kept
    return kept[1]


@contextmanager
def steady(cells: Sequence[Cell]) -> Iterator[None]:
    """Within, the weights of these cells do not change: they are compared with what is kept of them once, not at every call."""
    for cell in cells:
        _matrix(cell)
        cell.__dict__[STEADY] = True
    try:
        yield
    finally:
        for cell in cells:
            cell.__dict__.pop(STEADY, None)


def unroll_reservoir(
    cell: Cell, drive: Float[Tensor, "steps width"], counts: Int[Tensor, "time"], state: State, reverse: bool
) -> tuple[Float[Tensor, "steps width"], State]:
    """Outputs of every step and the final state of a cell `echo_state`."""
    squash = cell.nonlinearity == "tanh"
    h, final = reservoir(drive, _matrix(cell), state.h, counts, reverse, leak=float(cell.leak), squash=squash)  # pyright: ignore[reportArgumentType]
    return h, type(state)(final)
