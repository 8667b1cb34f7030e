"""Simple recurrent unit without the state in its gates: the highway of SRU on a recurrence that is linear."""

from __future__ import annotations

import torch
from torch import Tensor

from saiki.cells.base import LinearCell, LinearState
from saiki.shapes import Float


class SRULight(LinearCell):
    """Simple recurrent unit whose gates see the input alone.

        f_t = σ(W_f x_t + b_f)                           forget gate
        r_t = σ(W_r x_t + b_r)                           reset gate
        h_t = f_t ∘ h_{t-1} + (1 - f_t) ∘ (W x_t + b)
        output_t = r_t ∘ h_t + (1 - r_t) ∘ (W_x x_t + b_x)

    Rows of the weights in the order W, W_f, W_r, W_x. The cell `sru` has the state in f and r too.

    Source: Lei and Zhang, "Training RNNs as Fast as CNNs", 2017 (arXiv 1709.02755, first version, whose gates see the
    input alone), with biases in all four rows, the identity for g, and the highway always projected, so that input and
    state may differ in width.
    """

    blocks = 4

    def coefficients(
        self, gates: Float[Tensor, "steps gates"]
    ) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "steps width"]]:
        taken, forget, _, _ = gates.chunk(4, 1)
        return torch.sigmoid(forget), torch.sigmoid(-forget) * taken

    def output(self, gates: Float[Tensor, "batch gates"], state: LinearState) -> Float[Tensor, "batch width"]:
        _, _, reset, highway = gates.chunk(4, 1)
        return highway + torch.sigmoid(reset) * (state.h - highway)
