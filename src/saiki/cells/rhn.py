"""Recurrent highway network: several layers inside one time step, each of which may let the state pass unchanged."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import RecurrentCell
from saiki.errors import OptionError
from saiki.shapes import Float

#: bias of the transform gate before training: the state mostly passes
CLOSED = -2.0


class RHNState(NamedTuple):
    h: Tensor  # [batch, width]


class RHN(RecurrentCell):
    """Recurrent highway network with coupled carry gate, `depth` layers in one step.

        s^0 = h_{t-1}
        g^l = tanh(W_g x_t [l = 1] + R_g^l s^{l-1} + b_g^l)
        t^l = σ(W_t x_t [l = 1] + R_t^l s^{l-1} + b_t^l)         transform gate
        s^l = t^l ∘ g^l + (1 - t^l) ∘ s^{l-1}
        h_t = s^depth

    Rows of the weights in the order g, t; `weight_hh` [depth, 2 width, width] and `bias_hh` hold a layer each.
    `inside` are the options of `RecurrentCell`.

    Source: Zilly et al., "Recurrent Highway Networks", 2016 (arXiv 1607.03474), equations 6 to 9, with c = 1 - t.
    """

    def __init__(self, features: int, width: int, *, depth: int = 2, **inside: Any) -> None:
        if depth < 1:
            raise OptionError(f"depth: got {depth}; expected at least 1 layer inside a step")
        super().__init__()
        self.features, self.width, self.output_width, self.depth = features, width, width, depth
        self.weight_ih = nn.Parameter(torch.empty(2 * width, features))
        self.weight_hh = nn.Parameter(torch.empty(depth, 2 * width, width))
        self.bias_hh = nn.Parameter(torch.empty(depth, 2 * width))
        self.act_inside(**inside)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√width; transform gates nearly closed."""
        bound = 1 / math.sqrt(self.width)
        nn.init.uniform_(self.weight_ih, -bound, bound)
        nn.init.uniform_(self.weight_hh, -bound, bound)
        nn.init.zeros_(self.bias_hh)
        nn.init.constant_(self.bias_hh[:, self.width :], CLOSED)
        if self.layer_norm:
            nn.init.ones_(self.gain_ih)
            nn.init.ones_(self.gain_hh)

    def initial_state(self, batch: int) -> RHNState:
        return RHNState(self.weight_ih.new_zeros(batch, self.width))

    def advance(self, gates: Float[Tensor, "batch gates"], state: RHNState) -> RHNState:
        (s,) = state
        for layer in range(self.depth):
            total = self.recur(s, layer)
            g, t = (total + gates if layer == 0 else total).chunk(2, 1)
            s = s + torch.sigmoid(t) * (torch.tanh(g) - s)
        return RHNState(s)
