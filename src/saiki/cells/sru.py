"""Simple recurrent unit: gates see the past through their own unit only, so that a step needs no matrix product."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import Cell
from saiki.shapes import Float

#: scale of the highway for a reset bias of 0: √(1 + 2 e^0), so that the output varies as much as the input
ALPHA = math.sqrt(3)


class SRUState(NamedTuple):
    h: Tensor  # [batch, width], the output; no step reads it
    c: Tensor  # [batch, width]


class SRU(Cell):
    """Simple recurrent unit with the highway to its output.

        f_t = σ(W_f x_t + v_f ∘ c_{t-1} + b_f)          forget gate
        r_t = σ(W_r x_t + v_r ∘ c_{t-1} + b_r)          reset gate
        c_t = f_t ∘ c_{t-1} + (1 - f_t) ∘ (W x_t)
        h_t = r_t ∘ c_t + (1 - r_t) ∘ α x_t,   α = √3

    Rows of `weight_ih` in the order W, W_f, W_r, of `weight_hh` and `bias` v_f, v_r and b_f, b_r. Where input and state
    differ in width, a fourth block projects the highway: W_x x_t instead of α x_t.

    Source: Lei et al., "Simple Recurrent Units for Highly Parallelizable Recurrence", 2018 (arXiv 1709.02755 v5),
    equations 1 to 4 and section 3.2 (α, first weights): as published, with c_{t-1} in both gates.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.features, self.width, self.output_width = features, width, width
        self.blocks = 3 if features == width else 4
        self.weight_ih = nn.Parameter(torch.empty(self.blocks * width, features))
        self.weight_hh = nn.Parameter(torch.empty(2 * width))
        self.bias = nn.Parameter(torch.zeros(2 * width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """W U(±√(3 / features)), v U(±1/√width), biases 0."""
        nn.init.uniform_(self.weight_ih, -math.sqrt(3 / self.features), math.sqrt(3 / self.features))
        bound = 1 / math.sqrt(self.width)
        nn.init.uniform_(self.weight_hh, -bound, bound)
        nn.init.zeros_(self.bias)

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        gates = nn.functional.linear(x, self.weight_ih)
        width = self.width
        both, highway = gates[:, width : 3 * width] + self.bias, gates[:, 3 * width :]
        return torch.cat([gates[:, :width], both, ALPHA * x if self.blocks == 3 else highway], 1)

    def recur(self, c: Float[Tensor, "batch width"]) -> Float[Tensor, "batch gates"]:
        return self.weight_hh * torch.cat([c, c], 1)

    def initial_state(self, batch: int) -> SRUState:
        return SRUState(self.bias.new_zeros(batch, self.width), self.bias.new_zeros(batch, self.width))

    def step(self, gates: Float[Tensor, "batch gates"], state: SRUState) -> SRUState:
        taken, both, highway = gates.split([self.width, 2 * self.width, self.width], 1)
        f, r = torch.sigmoid(both + self.recur(state.c)).chunk(2, 1)
        c = taken + f * (state.c - taken)
        return SRUState(highway + r * (c - highway), c)
