"""Closed-form continuous-time cell: how far the state moves depends on the time that has passed since the last step."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import RecurrentCell
from saiki.shapes import Float

#: tanh scaled so that a unit's variance stays 1 (LeCun, "Efficient BackProp", 1998)
HEIGHT, SLOPE = 1.7159, 2 / 3


class CfCState(NamedTuple):
    h: Tensor  # [batch, width]


class CfC(RecurrentCell):
    """Closed-form continuous-time cell, for steps at any distance in time.

        u_t = 1.7159 tanh(2/3 (W_ih x_t + b_ih + W_hh h_{t-1}))          backbone of one layer
        a_t, b_t, p_t, q_t = W_u u_t + b_u                                heads
        s_t = σ(p_t · gap_t + q_t)
        h_t = (1 - s_t) ∘ tanh(a_t) + s_t ∘ tanh(b_t)

    `weight_u` [4 width, width] holds the heads in the order a, b, p, q. gap_t is the time since the step before, in any
    unit. `inside` are the options of `RecurrentCell`.

    Source: Hasani et al., "Closed-form continuous-time neural networks", 2022 (arXiv 2106.13898), equation 4 with its
    backbone, in the gated form of the authors' code.
    """

    needs = frozenset({"gap"})

    def __init__(self, features: int, width: int, **inside: Any) -> None:
        super().__init__()
        self.features, self.width, self.output_width = features, width, width
        self.weight_ih = nn.Parameter(torch.empty(width, features))
        self.bias_ih = nn.Parameter(torch.empty(width))
        self.weight_hh = nn.Parameter(torch.empty(width, width))
        self.weight_u = nn.Parameter(torch.empty(4 * width, width))
        self.bias_u = nn.Parameter(torch.empty(4 * width))
        self.act_inside(**inside)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot for the products, biases 0, gains 1."""
        for name, parameter in self.named_parameters():
            if name.startswith("weight"):
                nn.init.xavier_uniform_(parameter, gain=math.sqrt(2) if name == "weight_u" else 1.0)
            else:
                nn.init.constant_(parameter, float(name.startswith("gain")))

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        return torch.cat([given["gap"].to(x.dtype), super().project(x)], 1)

    def initial_state(self, batch: int) -> CfCState:
        return CfCState(self.bias_ih.new_zeros(batch, self.width))

    def advance(self, gates: Float[Tensor, "batch gates"], state: CfCState) -> CfCState:
        return CfCState(self.follow(gates[:, 1:], gates[:, :1], state.h))

    def follow(self, seen: Float[Tensor, "batch width"], gap: Float[Tensor, "batch one"], h: Tensor) -> Tensor:
        """h after a step, of what the backbone sees of the input and the time since the step before."""
        u = HEIGHT * torch.tanh(SLOPE * (seen + self.recur(h)))
        a, b, p, q = nn.functional.linear(u, self.weight_u, self.bias_u).chunk(4, 1)
        share = torch.sigmoid(p * gap + q)
        a = torch.tanh(a)
        return a + share * (torch.tanh(b) - a)

    def read(
        self, x: Float[Tensor, "steps features"], counts: Tensor, state: CfCState, reverse: bool, gap: Tensor
    ) -> tuple[Float[Tensor, "steps more"], CfCState]:
        """x and gap of all steps, and the state."""
        most = torch.finfo(x.dtype).max  # of a gap without end: the kernel multiplies it by zeros too
        return torch.cat([x, gap.to(x.dtype).clamp(-most, most).expand(len(x), 1)], 1), state
