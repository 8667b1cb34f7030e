"""Independently recurrent network: every unit sees only its own past, so that its memory is one number that can be kept."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import Cell
from saiki.errors import OptionError
from saiki.shapes import Float


class IndRNNState(NamedTuple):
    h: Tensor  # [batch, width]


class IndRNN(Cell):
    """Independently recurrent cell: the recurrent weights are a vector.

        h_t = f(W_ih x_t + b + u ∘ h_{t-1}),   f = relu or tanh

    u is `weight_hh` [width], drawn from U(0, 1): units of short and of long memory. Units mix in the layer above.

    Source: Li et al., "Independently Recurrent Neural Network (IndRNN)", 2018 (arXiv 1803.04831), equation 2, without
    batch normalisation.
    """

    def __init__(self, features: int, width: int, *, nonlinearity: str = "relu") -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"nonlinearity: got {nonlinearity!r}; expected 'tanh' or 'relu'")
        super().__init__()
        self.features, self.width, self.output_width, self.nonlinearity = features, width, width, nonlinearity
        self.weight_ih = nn.Parameter(torch.empty(width, features))
        self.weight_hh = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Inputs U(±1/√features), u U(0, 1), bias 0."""
        nn.init.uniform_(self.weight_ih, -1 / math.sqrt(self.features), 1 / math.sqrt(self.features))
        nn.init.uniform_(self.weight_hh, 0, 1)
        nn.init.zeros_(self.bias)

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        return nn.functional.linear(x, self.weight_ih, self.bias)

    def recur(self, h: Float[Tensor, "batch width"]) -> Float[Tensor, "batch gates"]:
        return self.weight_hh * h

    def initial_state(self, batch: int) -> IndRNNState:
        return IndRNNState(self.bias.new_zeros(batch, self.width))

    def step(self, gates: Float[Tensor, "batch gates"], state: IndRNNState) -> IndRNNState:
        squash = torch.tanh if self.nonlinearity == "tanh" else torch.relu
        return IndRNNState(squash(gates + self.recur(state.h)))
