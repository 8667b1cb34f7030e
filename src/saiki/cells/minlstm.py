"""Minimal long short-term memory: two gates that do not see the past and share out what the state keeps and takes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from saiki.cells.base import LinearCell
from saiki.shapes import Float


class MinLSTM(LinearCell):
    """Minimal long short-term memory, its gates scaled to sum to one.

        f_t = σ(W_f x_t + b_f)                           forget
        i_t = σ(W_i x_t + b_i)                           input
        n_t = W_n x_t + b_n                              candidate
        h_t = f_t / (f_t + i_t) ∘ h_{t-1} + i_t / (f_t + i_t) ∘ n_t

    Rows of the weights in the order f, i, n. The quotients are computed as σ(±(log f - log i)), which no gate near 0 makes
    undefined.

    Source: Feng et al., "Were RNNs All We Needed?", 2024 (arXiv 2410.01201), section 3.2, with a linear candidate.
    """

    blocks = 3

    def coefficients(
        self, gates: Float[Tensor, "steps gates"]
    ) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "steps width"]]:
        forget, take, n = gates.chunk(3, 1)
        odds = nn.functional.logsigmoid(forget) - nn.functional.logsigmoid(take)
        return torch.sigmoid(odds), torch.sigmoid(-odds) * n
