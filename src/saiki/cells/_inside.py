"""What acts inside the step of a cell with a recurrent matrix: layer norm, zoneout, dropout of state and of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from saiki.errors import OptionError

if TYPE_CHECKING:
    from saiki.cells.base import Cell

EPSILON = 1e-5  # beside the variance, as torch.nn.LayerNorm has it


def check_shares(**shares: float) -> None:
    """Shares of units or weights lie in [0, 1)."""
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
            raise OptionError(f"{name}: got {share!r}; expected a share from 0 to below 1")


def norm(x: Tensor, gain: Tensor, shift: Tensor | None = None) -> Tensor:
    """Layer norm of every row: (x - mean) / √(variance + ε) · gain + shift."""
    return nn.functional.layer_norm(x, x.shape[1:], gain, shift, EPSILON)


def twin(cell: Cell, **parameters: Tensor | None) -> Cell:
    """A cell that shares everything with this one but the parameters given; nothing is copied and no key renamed."""
    kind, shared = type(cell), dict(cell._parameters)
    if nn.utils.parametrize.is_parametrized(cell):  # as what they are now, in the class that the cell had before
        kind = kind.__mro__[1]
        shared |= {name: getattr(cell, name) for name in cast("nn.ModuleDict", cell.parametrizations)}
    other = object.__new__(kind)
    own = {name: value for name, value in cell.__dict__.items() if name not in parameters}  # pruned ones stand there
    other.__dict__.update(own, _parameters=shared | parameters)
    return other


def kept(like: Tensor, share: float, *shape: int) -> Tensor:
    """Zeros for the share of units that is dropped; the others are scaled up, so that the mean stays."""
    return torch.empty(shape or like.shape, dtype=like.dtype, device=like.device).bernoulli_(1 - share).div_(1 - share)
