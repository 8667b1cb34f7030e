"""Long short-term memory: a gated sum carries the past, so that gradients survive long spans."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells._inside import norm
from saiki.cells._start import check_biases, chrono_, gate_bias_
from saiki.cells.base import GatedCell
from saiki.errors import OptionError
from saiki.shapes import Float


class LSTMState(NamedTuple):
    h: Tensor  # [batch, output_width]
    c: Tensor  # [batch, width]


class LSTM(GatedCell):
    """Long short-term memory with forget gate; optionally with projected output, peepholes, coupled gates.

        i_t = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)           input gate
        f_t = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf)           forget gate
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)        candidate
        o_t = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho)           output gate
        c_t = f_t ∘ c_{t-1} + i_t ∘ g_t
        h_t = o_t ∘ tanh(c_t)              or, with projection,  h_t = W_hr (o_t ∘ tanh(c_t))

    Rows of the weights in the order i, f, g, o. With `peephole` the gates see the cell state, unit by unit (`weight_c`
    holds p_i, p_f, p_o): i and f add p ∘ c_{t-1}, o adds p_o ∘ c_t. With `coupled`, i_t = 1 - f_t, and the weights have
    no rows for i. `forget_bias` and `chrono` set the first biases of the gates. With layer norm, tanh sees
    LN(c_t) · g_c + b_c. `inside` are the options of `RecurrentCell`.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997); forget gate: Gers et al.,
    2000; projection: Sak et al., 2014 (arXiv 1402.1128); peepholes: Gers and Schmidhuber, "Recurrent Nets that Time and
    Count", 2000; coupled gates: Greff et al., 2017 (arXiv 1503.04069), CIFG. Names and order as in `torch.nn.LSTM`.
    """

    blocks = 4

    def __init__(
        self,
        features: int,
        width: int,
        *,
        bias: bool = True,
        projection: int = 0,
        peephole: bool = False,
        coupled: bool = False,
        forget_bias: float | None = None,
        recurrent_init: str = "uniform",
        chrono: int | None = None,
        **inside: Any,
    ) -> None:
        if not 0 <= projection < max(width, 1):
            raise OptionError(f"projection: got {projection}; expected 0 (none) or fewer units than the width, {width}")
        check_biases(bias, forget_bias=forget_bias, chrono=chrono)
        self.peephole, self.coupled, self.forget_bias, self.chrono = peephole, coupled, forget_bias, chrono
        self.blocks = 3 if coupled else 4
        super().__init__(features, width, bias=bias, recurrent_init=recurrent_init, **inside)
        self.weight_hr = None
        if self.layer_norm:
            self.gain_c, self.shift_c = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        if projection:
            self.output_width = projection
            self.weight_hh = nn.Parameter(torch.empty(self.blocks * width, projection))
            self.weight_hr = nn.Parameter(torch.empty(projection, width))
        self.weight_c = nn.Parameter(torch.empty((self.blocks - 1) * width)) if peephole else None
        if projection or peephole:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """As of every gated cell; then the biases of the forget and input gates as asked for."""
        super().reset_parameters()
        if getattr(self, "shift_c", None) is not None:
            nn.init.zeros_(self.shift_c)
        forget = 0 if self.coupled else 1
        if self.forget_bias is not None:
            gate_bias_(self, forget, self.forget_bias)
        if self.chrono is not None:
            chrono_(self, self.chrono, keep=forget, take=None if self.coupled else 0)

    def initial_state(self, batch: int) -> LSTMState:
        return LSTMState(self.weight_hh.new_zeros(batch, self.output_width), self.zeros(batch))

    @property
    def _zones(self) -> int:
        return self.output_width + self.width

    def advance(self, gates: Float[Tensor, "batch gates"], state: LSTMState) -> LSTMState:
        h, c = state
        total = gates + self.recur(h)
        before, g, o = total.split([total.shape[1] - 2 * self.width, self.width, self.width], 1)  # before: (i,) f
        if self.weight_c is not None:
            before = before + self.weight_c[: -self.width] * c.repeat(1, self.blocks - 2)
        f = torch.sigmoid(before[:, -self.width :])
        i = 1 - f if self.coupled else torch.sigmoid(before[:, : self.width])
        c = f * c + i * torch.tanh(g)
        if self.weight_c is not None:
            o = o + self.weight_c[-self.width :] * c
        up = norm(c, self.gain_c, self.shift_c) if self.layer_norm else c
        h = torch.sigmoid(o) * torch.tanh(up)
        return LSTMState(h if self.weight_hr is None else nn.functional.linear(h, self.weight_hr), c)

    def weight_names(self) -> tuple[str, ...]:
        more = tuple(name for name in ("weight_hr", "weight_c") if getattr(self, name) is not None)
        return (*super().weight_names(), *more)
