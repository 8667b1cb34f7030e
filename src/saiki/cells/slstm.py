"""sLSTM of xLSTM: an LSTM whose input gate is an exponential, so that it can revise what it stored."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from saiki.cells.base import GatedCell
from saiki.shapes import Float

#: the stabiliser before the first step: so far below every gate that nothing of the (empty) past is left
NOTHING = -1e30


class SLSTMState(NamedTuple):
    h: Tensor  # [batch, width]
    c: Tensor  # [batch, width], times e^m
    n: Tensor  # [batch, width], times e^m
    m: Tensor  # [batch, width], logarithm of the scale of c and n


class SLSTM(GatedCell):
    """LSTM with exponential gating, a normaliser and a stabiliser; one head.

        ĩ, f̃, g̃, õ = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
        m_t = max(log σ(f̃) + m_{t-1}, ĩ)                         stabiliser
        i_t = exp(ĩ - m_t),   f_t = exp(log σ(f̃) + m_{t-1} - m_t)
        c_t = f_t ∘ c_{t-1} + i_t ∘ tanh(g̃)
        n_t = f_t ∘ n_{t-1} + i_t                                normaliser
        h_t = σ(õ) ∘ c_t / n_t

    Rows of the weights in the order i, f, g, o.

    Source: Beck et al., "xLSTM: Extended Long Short-Term Memory", 2024 (arXiv 2405.04517), equations 8 to 17, with the
    sigmoid as forget gate, without convolution, group norm and block diagonal weights.
    """

    blocks = 4

    def initial_state(self, batch: int) -> SLSTMState:
        zeros = self.zeros(batch)
        nothing = max(NOTHING, torch.finfo(zeros.dtype).min)
        return SLSTMState(zeros, zeros.clone(), zeros.clone(), torch.full_like(zeros, nothing))

    @property
    def _zones(self) -> int:
        return 2 * self.width

    def advance(self, gates: Float[Tensor, "batch gates"], state: SLSTMState) -> SLSTMState:
        h, c, n, m = state
        log_i, f, g, o = (gates + self.recur(h)).chunk(4, 1)
        log_f = torch.nn.functional.logsigmoid(f) + m
        m = torch.maximum(log_f, log_i)
        i, f = torch.exp(log_i - m), torch.exp(log_f - m)
        c = f * c + i * torch.tanh(g)
        n = f * n + i
        return SLSTMState(torch.sigmoid(o) * c / n, c, n, m)

    def hold(self, new: SLSTMState, old: SLSTMState, share: Float[Tensor, "batch zones"]) -> SLSTMState:
        """As of every cell, with c and n brought to one scale first: the larger of both."""
        of_h, of_c = share.chunk(2, 1)
        m = torch.where(of_c == 0, new.m, torch.where(of_c == 1, old.m, torch.maximum(new.m, old.m)))
        # a share of nothing stays nothing, however far apart the scales are
        grown = torch.exp((new.m - m).clamp(max=0)) * (1 - of_c)
        stayed = torch.exp((old.m - m).clamp(max=0)) * of_c
        h = new.h + of_h * (old.h - new.h)
        return SLSTMState(h, grown * new.c + stayed * old.c, grown * new.n + stayed * old.n, m)
