"""Numbers of units to vectors, with the dropouts that texts ask for, and vectors made elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.shapes import Float, Int


class Embedding(nn.Module):
    """A vector for every unit, `[batch, time]` to `[batch, time, width]`.

    units    numbers that units have, 0 up to before it
    dropout  share of units whose vector is zero for a whole batch, wherever they stand; the others are scaled up
    inputs   share of the components dropped, the same at all steps of a sequence
    spread   of the first vectors; by default they are of length 1, about

    Source: Gal and Ghahramani 2016 (arXiv 1512.05287), section 4.2: units are dropped by type, not by place.
    """

    def __init__(
        self, units: int, width: int, dropout: float = 0.0, inputs: float = 0.0, spread: float | None = None
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(units, width)
        self.width, self.dropout, self.inputs = width, dropout, inputs
        nn.init.normal_(self.table.weight, std=width**-0.5 if spread is None else spread)

    def forward(self, tokens: Int[Tensor, "*steps"]) -> Float[Tensor, "*steps width"]:
        weight = self.table.weight
        if self.training and self.dropout:
            kept = weight.new_full((len(weight), 1), 1 - self.dropout).bernoulli() / (1 - self.dropout)
            weight = weight * kept
        x = nn.functional.embedding(tokens, weight)
        if self.training and self.inputs:
            x = x * nn.functional.dropout(x.new_ones(len(x), 1, self.width), self.inputs)
        return x

    def put(self, places: Tensor, vectors: Tensor) -> None:
        """Vectors made elsewhere, for some of the units; the others are drawn with the same spread."""
        with torch.no_grad():
            self.table.weight.normal_(std=float(vectors.std()))
            self.table.weight[places] = vectors.to(self.table.weight.dtype)
