"""Elman network, the vanilla recurrent cell: one tanh (or relu) layer that sees its own last output."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import GatedCell
from saiki.errors import OptionError
from saiki.shapes import Float


class ElmanState(NamedTuple):
    h: Tensor  # [batch, width]


class Elman(GatedCell):
    """Simple recurrent cell.

        h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),   f = tanh or relu

    Source: Elman, "Finding Structure in Time", Cognitive Science 14 (1990), with the output equal to the state; weights
    and names as in `torch.nn.RNN`.
    """

    blocks = 1
    inits = ("uniform", "orthogonal", "identity")

    def __init__(
        self,
        features: int,
        width: int,
        *,
        bias: bool = True,
        nonlinearity: str = "tanh",
        recurrent_init: str = "uniform",
        **inside: Any,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"nonlinearity: got {nonlinearity!r}; expected 'tanh' or 'relu'")
        self.nonlinearity = nonlinearity
        super().__init__(features, width, bias=bias, recurrent_init=recurrent_init, **inside)

    def reset_parameters(self) -> None:
        """As of every gated cell; a recurrent identity (IRNN) goes with biases of 0."""
        super().reset_parameters()
        if self.recurrent_init == "identity" and self.bias_ih is not None and self.bias_hh is not None:
            nn.init.zeros_(self.bias_ih)
            nn.init.zeros_(self.bias_hh)

    def initial_state(self, batch: int) -> ElmanState:
        return ElmanState(self.zeros(batch))

    def advance(self, gates: Float[Tensor, "batch gates"], state: ElmanState) -> ElmanState:
        squash = torch.tanh if self.nonlinearity == "tanh" else torch.relu
        return ElmanState(squash(gates + self.recur(state.h)))
