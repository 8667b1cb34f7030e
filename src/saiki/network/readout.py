"""Answers from a recurrent layer: a linear map of its output at the last valid step, or at every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from saiki.errors import OptionError
from saiki.network.packing import as_lengths, checked_lengths
from saiki.shapes import Float, Int


class Readout(nn.Module):
    """y = W o_T + b, where o_T is the layer's output at each row's last valid step.

    layer    a recurrent layer of `saiki.nn` (or `torch.nn`) with `batch_first=True`
    outputs  numbers per answer

    A row of length 0 is answered by b.
    """

    def __init__(self, layer: nn.Module, outputs: int) -> None:
        _check(layer)
        super().__init__()
        self.layer = layer
        self.linear = nn.Linear(_width(layer), outputs)

    def forward(
        self, x: Float[Tensor, "batch time features"], lengths: Int[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        if x.dim() != 3:
            raise OptionError(
                f"x has shape {tuple(x.shape)}; expected [batch, time, features]; of one sequence give x[None]"
            )
        if lengths is None:
            out = self.layer(x)[0]
            return self.linear(out[:, -1] if out.shape[1] else out.new_zeros(len(out), out.shape[2]))
        lengths = as_lengths(lengths)
        out = _ragged(self.layer, x, lengths)[0]
        if not out.shape[1]:
            return self.linear(out.new_zeros(len(out), out.shape[2]))
        rows = torch.arange(len(out), device=out.device)
        last = out[rows, lengths.to(out.device).clamp_min(1) - 1]
        return self.linear(torch.where((lengths > 0).to(out.device)[:, None], last, 0))


class StepReadout(nn.Module):
    """y_t = W o_t + b at every step, and the states after the last one: what truncated back-propagation trains.

    layer    a recurrent layer of `saiki.nn` (or `torch.nn`) with `batch_first=True`
    outputs  numbers per answer

    In the padding answers are b.
    """

    def __init__(self, layer: nn.Module, outputs: int) -> None:
        _check(layer)
        super().__init__()
        self.layer = layer
        self.linear = nn.Linear(_width(layer), outputs)

    def forward(
        self, x: Float[Tensor, "batch time features"], states: Any = None, lengths: Int[Tensor, "batch"] | None = None
    ) -> tuple[Float[Tensor, "batch time outputs"], Any]:
        out, states = self.layer(x, states) if lengths is None else _ragged(self.layer, x, as_lengths(lengths), states)
        return self.linear(out), states


def _ragged(layer: nn.Module, x: Tensor, lengths: Tensor, states: Any = None) -> tuple[Tensor, Any]:
    """What a layer gives for rows of these lengths; layers of torch.nn, which know packed rows alone, have theirs packed."""
    given = () if states is None else (states,)
    if not isinstance(layer, nn.RNNBase) or (checked := checked_lengths(lengths, *x.shape[:2])) is None:
        return layer(x, *given, **({} if isinstance(layer, nn.RNNBase) else {"lengths": lengths}))
    rows = pack_padded_sequence(x, checked.clamp_min(1), batch_first=True, enforce_sorted=False)
    found, after = layer(rows, *given)
    out, _ = pad_packed_sequence(found, batch_first=True, total_length=x.shape[1])
    some = (checked > 0).to(x.device)[:, None]  # a row of no steps keeps its state, and has no outputs
    parts = after if isinstance(after, tuple) else (after,)
    before = [torch.zeros_like(part) for part in parts] if states is None else states if len(parts) > 1 else [states]
    kept = tuple(torch.where(some, now, then) for now, then in zip(parts, before, strict=True))
    return torch.where(some[..., None], out, 0), kept if isinstance(after, tuple) else kept[0]


def _check(layer: Any) -> None:
    if not getattr(layer, "batch_first", True):
        raise OptionError(
            f"the {type(layer).__name__} reads [time, batch, features]; expected one made with batch_first=True"
        )


def _width(layer: Any) -> int:
    """Numbers per step that a layer sends up."""
    if (size := getattr(layer, "output_size", None)) is not None:
        return size
    return (getattr(layer, "proj_size", 0) or layer.hidden_size) * (2 if layer.bidirectional else 1)
