"""Quasi-recurrent network: a convolution over the last few steps gives gates to a recurrence without weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from saiki.cells.base import LinearCell
from saiki.errors import OptionError
from saiki.shapes import Float


class QRNNState(NamedTuple):
    h: Tensor  # [batch, width], the paper's c
    past: Tensor  # [batch, (kernel - 1) · features], the latest step first


class QRNN(LinearCell):
    """Quasi-recurrent cell with fo-pooling, or f-pooling without output gate.

        z_t = tanh(Σ_j W_z^j x_{t-j} + b_z)
        f_t = σ(Σ_j W_f^j x_{t-j} + b_f)                 forget
        o_t = σ(Σ_j W_o^j x_{t-j} + b_o)                 output, j = 0 … kernel - 1
        h_t = f_t ∘ h_{t-1} + (1 - f_t) ∘ z_t
        output_t = o_t ∘ h_t,   or h_t with `output_gate=False`

    Rows of the weights in the order z, f, o; columns by lag, the present step first.

    Source: Bradbury et al., "Quasi-Recurrent Neural Networks", 2016 (arXiv 1611.01576), equations 1 to 4, with biases.
    """

    def __init__(
        self, features: int, width: int, *, bias: bool = True, kernel: int = 2, output_gate: bool = True
    ) -> None:
        if kernel < 1:
            raise OptionError(f"kernel: got {kernel}; expected at least 1 step")
        self.blocks, self.kernel, self.history, self.output_gate = (
            3 if output_gate else 2,
            kernel,
            kernel - 1,
            output_gate,
        )
        super().__init__(kernel * features, width, bias=bias)
        self.features = features

    def initial_state(self, batch: int) -> QRNNState:
        zeros = self.weight_ih.new_zeros
        return QRNNState(zeros(batch, self.width), zeros(batch, self.history * self.features))

    def coefficients(
        self, gates: Float[Tensor, "steps gates"]
    ) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "steps width"]]:
        z, forget = gates[:, : 2 * self.width].chunk(2, 1)
        return torch.sigmoid(forget), torch.sigmoid(-forget) * torch.tanh(z)

    def output(self, gates: Float[Tensor, "batch gates"], state: QRNNState) -> Float[Tensor, "batch width"]:
        return torch.sigmoid(gates[:, 2 * self.width :]) * state.h if self.output_gate else state.h
