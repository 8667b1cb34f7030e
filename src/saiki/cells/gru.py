"""Gated recurrent unit: two gates decide what to forget and what to take from the candidate."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from saiki.cells.base import GatedCell
from saiki.shapes import Float


class GRUState(NamedTuple):
    h: Tensor  # [batch, width]


class GRU(GatedCell):
    """Gated recurrent unit, reset gate applied after the recurrent product.

        r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)           reset
        z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)           update
        n_t = tanh(W_in x_t + b_in + r_t ∘ (W_hn h_{t-1} + b_hn))  candidate
        h_t = (1 - z_t) ∘ n_t + z_t ∘ h_{t-1}

    Rows of the weights in the order r, z, n.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014 (arXiv 1406.1078), in the
    variant of cuDNN and `torch.nn.GRU`: the reset gate scales the product W_hn h + b_hn, not h itself.
    """

    blocks = 3

    def initial_state(self, batch: int) -> GRUState:
        return GRUState(self.zeros(batch))

    def step(self, gates: Float[Tensor, "batch gates"], state: GRUState) -> GRUState:
        (h,) = state
        x_r, x_z, x_n = gates.chunk(3, 1)
        h_r, h_z, h_n = self.recur(h).chunk(3, 1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return GRUState(n + z * (h - n))
