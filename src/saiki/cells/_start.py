"""First weights of gated cells besides the uniform ones of `torch.nn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from saiki.errors import OptionError

if TYPE_CHECKING:
    from saiki.cells.base import GatedCell


def recurrent_(weight: Tensor, kind: str, blocks: int) -> None:
    """Fill the recurrent weight, block by block: every gate's part is orthogonal, or the identity.

    Source: orthogonal: Saxe et al. 2013 (arXiv 1312.6120); identity: Le et al. 2015 (arXiv 1504.00941).
    """
    fill = {"orthogonal": nn.init.orthogonal_, "identity": nn.init.eye_}[kind]
    with torch.no_grad():
        for block in weight.chunk(blocks, 0):
            fill(block)


def chrono_(cell: GatedCell, longest: int, keep: int, take: int | None = None) -> None:
    """Biases of the gates that keep the past, so that memories last up to `longest` steps.

        b_keep ~ log U(1, longest - 1),   b_take = -b_keep

    Source: Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018 (arXiv 1804.11188), section 3.

    Args:
        keep, take: number of the gate's block of rows; without `take`, taking is one minus keeping.
    """
    kept = cell.get_parameter("bias_ih").new_empty(cell.width).uniform_(1, longest - 1).log()
    gate_bias_(cell, keep, kept)
    if take is not None:
        gate_bias_(cell, take, -kept)


def gate_bias_(cell: GatedCell, gate: int, value: Tensor | float) -> None:
    """Set a gate's bias; of its two halves the recurrent one is 0."""
    with torch.no_grad():
        rows = cell.get_parameter("bias_ih").chunk(cell.blocks)[gate]
        rows.copy_(torch.as_tensor(value).expand_as(rows))
        cell.get_parameter("bias_hh").chunk(cell.blocks)[gate].zero_()


def check_biases(bias: bool, *, chrono: int | None = None, forget_bias: float | None = None) -> None:
    """At most one option may set the biases, and there must be biases to set."""
    given = {"forget_bias": forget_bias, "chrono": chrono}
    asked = [name for name, value in given.items() if value is not None]
    if asked and not bias:
        raise OptionError(f"{asked[0]}: this cell has no biases (bias=False); expected biases to set")
    if len(asked) > 1:
        raise OptionError(f"{' and '.join(asked)} both set the gates' biases; expected one of them")
    if chrono is not None and chrono < 2:
        raise OptionError(f"chrono: got {chrono}; expected the longest lag, at least 2 steps")
