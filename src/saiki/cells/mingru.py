"""Minimal gated recurrent unit: an update gate that does not see the past, so that all steps are computed at once."""

from __future__ import annotations

import torch
from torch import Tensor

from saiki.cells.base import LinearCell
from saiki.shapes import Float


class MinGRU(LinearCell):
    """Minimal gated recurrent unit: a GRU without reset gate and without the past in its gate.

        z_t = σ(W_z x_t + b_z)                           update
        n_t = W_n x_t + b_n                              candidate
        h_t = (1 - z_t) ∘ h_{t-1} + z_t ∘ n_t

    Rows of the weights in the order z, n.

    Source: Feng et al., "Were RNNs All We Needed?", 2024 (arXiv 2410.01201), section 3.1: the form with a linear
    candidate. Their form in logarithms passes n through a positive function, which a fused scan does not need.
    """

    blocks = 2

    def coefficients(
        self, gates: Float[Tensor, "steps gates"]
    ) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "steps width"]]:
        update, n = gates.chunk(2, 1)
        return torch.sigmoid(-update), torch.sigmoid(update) * n
