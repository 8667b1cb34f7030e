"""One answer per sequence from a recurrent layer: a linear map of its output at the last valid step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from saiki.shapes import Float, Int


class Readout(nn.Module):
    """y = W o_T + b, where o_T is the layer's output at each row's last valid step.

    layer    a recurrent layer of `saiki.nn` (or `torch.nn`) with `batch_first=True`
    outputs  numbers per answer

    A row of length 0 is answered by b.
    """

    def __init__(self, layer: nn.Module, outputs: int) -> None:
        super().__init__()
        self.layer = layer
        width: Any = getattr(layer, "proj_size", 0) or layer.hidden_size
        self.linear = nn.Linear(width * (2 if layer.bidirectional else 1), outputs)

    def forward(
        self, x: Float[Tensor, "batch time features"], lengths: Int[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        if lengths is None:
            return self.linear(self.layer(x)[0][:, -1])
        out = self.layer(x, lengths=lengths)[0]
        rows = torch.arange(len(out), device=out.device)
        last = out[rows, lengths.to(out.device).clamp_min(1) - 1]
        return self.linear(torch.where((lengths > 0).to(out.device)[:, None], last, 0))
