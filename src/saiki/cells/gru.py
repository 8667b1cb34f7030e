"""Gated recurrent unit: two gates decide what to forget and what to take from the candidate."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from saiki.cells._start import check_biases, chrono_
from saiki.cells.base import GatedCell
from saiki.errors import OptionError
from saiki.shapes import Float


class GRUState(NamedTuple):
    h: Tensor  # [batch, width]


class GRU(GatedCell):
    """Gated recurrent unit, reset gate applied after the recurrent product, or before it.

        r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)           reset
        z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)           update
        n_t = tanh(W_in x_t + b_in + r_t ∘ (W_hn h_{t-1} + b_hn))  candidate
        h_t = (1 - z_t) ∘ n_t + z_t ∘ h_{t-1}

    With `reset="before"`:  n_t = tanh(W_in x_t + b_in + W_hn (r_t ∘ h_{t-1}) + b_hn).

    Rows of the weights in the order r, z, n. `inside` are the options of `RecurrentCell`; with reset before, layer norm
    is over the rows of r and z, and over those of n.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014 (arXiv 1406.1078), in the
    variant of cuDNN and `torch.nn.GRU`: the reset gate scales the product W_hn h + b_hn, not h itself;
    `reset="before"` is the paper's own (equation 8), where it scales h.
    """

    blocks = 3

    def __init__(
        self,
        features: int,
        width: int,
        *,
        bias: bool = True,
        reset: str = "after",
        recurrent_init: str = "uniform",
        chrono: int | None = None,
        **inside: Any,
    ) -> None:
        if reset not in ("after", "before"):
            raise OptionError(f"reset: got {reset!r}; expected 'after' or 'before' the recurrent product")
        check_biases(bias, chrono=chrono)
        self.reset, self.chrono = reset, chrono
        super().__init__(features, width, bias=bias, recurrent_init=recurrent_init, **inside)

    def reset_parameters(self) -> None:
        """As of every gated cell; then the biases of z for memories as long as asked for."""
        super().reset_parameters()
        if self.chrono is not None:
            chrono_(self, self.chrono, keep=1)

    def initial_state(self, batch: int) -> GRUState:
        return GRUState(self.zeros(batch))

    def advance(self, gates: Float[Tensor, "batch gates"], state: GRUState) -> GRUState:
        (h,) = state
        if self.reset == "before":
            return self._reset_before(gates, h)
        x_r, x_z, x_n = gates.chunk(3, 1)
        h_r, h_z, h_n = self.recur(h).chunk(3, 1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return GRUState(n + z * (h - n))

    def _reset_before(self, gates: Float[Tensor, "batch gates"], h: Float[Tensor, "batch width"]) -> GRUState:
        gates_of, new = slice(0, 2 * self.width), slice(2 * self.width, None)
        r, z = torch.sigmoid(gates[:, gates_of] + self.recur(h, gates_of)).chunk(2, 1)
        n = torch.tanh(gates[:, new] + self.recur(r * h, new))
        return GRUState(n + z * (h - n))
