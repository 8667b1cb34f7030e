"""Long short-term memory: a gated sum carries the past, so that gradients survive long spans."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import GatedCell
from saiki.errors import OptionError
from saiki.shapes import Float


class LSTMState(NamedTuple):
    h: Tensor  # [batch, output_width]
    c: Tensor  # [batch, width]


class LSTM(GatedCell):
    """Long short-term memory with forget gate, without peepholes; optionally with a projected output.

        i_t = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)           input gate
        f_t = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf)           forget gate
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)        candidate
        o_t = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho)           output gate
        c_t = f_t ∘ c_{t-1} + i_t ∘ g_t
        h_t = o_t ∘ tanh(c_t)              or, with projection,  h_t = W_hr (o_t ∘ tanh(c_t))

    Rows of the weights in the order i, f, g, o.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997); forget gate: Gers et al.,
    2000; projection: Sak et al., 2014 (arXiv 1402.1128). Names and order as in `torch.nn.LSTM`.
    """

    blocks = 4

    def __init__(self, features: int, width: int, *, bias: bool = True, projection: int = 0) -> None:
        if not 0 <= projection < max(width, 1):
            raise OptionError(f"projection: got {projection}; expected 0 (none) or fewer units than the width, {width}")
        super().__init__(features, width, bias=bias)
        self.weight_hr = None
        if projection:
            self.output_width = projection
            self.weight_hh = nn.Parameter(torch.empty(4 * width, projection))
            self.weight_hr = nn.Parameter(torch.empty(projection, width))
            self.reset_parameters()

    def initial_state(self, batch: int) -> LSTMState:
        return LSTMState(self.weight_hh.new_zeros(batch, self.output_width), self.zeros(batch))

    def step(self, gates: Float[Tensor, "batch gates"], state: LSTMState) -> LSTMState:
        h, c = state
        i, f, g, o = (gates + self.recur(h)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return LSTMState(h if self.weight_hr is None else nn.functional.linear(h, self.weight_hr), c)

    def weight_names(self) -> tuple[str, ...]:
        return (*super().weight_names(), "weight_hr") if self.weight_hr is not None else super().weight_names()
