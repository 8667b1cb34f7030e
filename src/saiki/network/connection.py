"""What goes from one layer to the next: the layer's output alone, or its input beside, added or gated."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.shapes import Float

#: first bias of a highway's gate: a new layer mostly lets its input pass
CARRY = -1.0


class Connection(nn.Module):
    """Joins the input x of a layer and its output y.

        plain      y
        residual   y + x                                       where both are equally wide, else y
        highway    T ∘ y + (1 - T) ∘ x,  T = σ(W_T x + b_T)    where both are equally wide, else y
        dense      [x, y]                                      side by side: every layer sees all layers before it

    Source: residual: He et al. 2016 (arXiv 1512.03385), eq. 1, without a projection; highway: Srivastava et al. 2015
    (arXiv 1505.00387), eq. 3, b_T = -1 at first; dense: Huang et al. 2017 (arXiv 1608.06993), eq. 2.
    """

    def __init__(self, kind: str, features: int, width: int) -> None:
        super().__init__()
        self.kind = kind if kind == "dense" or features == width else "plain"
        self.output_width = features + width if kind == "dense" else width
        if self.kind == "highway":
            self.gate = nn.Linear(features, width)
            nn.init.constant_(self.gate.bias, CARRY)

    def forward(self, x: Float[Tensor, "steps features"], y: Float[Tensor, "steps width"]) -> Float[Tensor, "steps up"]:
        if self.kind == "residual":
            return y + x
        if self.kind == "highway":
            return x + torch.sigmoid(self.gate(x)) * (y - x)
        return torch.cat([x, y], -1) if self.kind == "dense" else y

    def extra_repr(self) -> str:
        return self.kind
