"""Layers of cells: one or both directions each, residual connections, dropout between them."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from saiki.cells import make_cell
from saiki.cells.base import Cell, State
from saiki.network.options import Network
from saiki.network.packing import packing
from saiki.network.unroll import unroll
from saiki.shapes import Float, Int

#: states of all layers: `states[layer][direction]`
States = list[list[State]]


class Stack(nn.Module):
    """Recurrent layers from `features` to `output_width` numbers per step.

        x^0 = x;   x^l = cell_l(drop(x^{l-1}))  (+ x^{l-1} with `residual`, where both are equally wide)

    With `bidirectional` the outputs of both directions stand side by side.
    """

    def __init__(self, features: int, options: Network, width: int) -> None:
        super().__init__()
        self.residual = options.residual
        self.directions = 2 if options.bidirectional else 1
        self.drop = nn.Dropout(options.dropout)
        layers = []
        for _ in range(options.layers):
            cells = [make_cell(options.cell, features, width, **options.cell_options()) for _ in range(self.directions)]
            layers.append(nn.ModuleList(cells))
            features = sum(cell.output_width for cell in cells)
        self.layers = nn.ModuleList(layers)
        self.output_width = features

    @property
    def causal(self) -> bool:
        """Whether the answer at t needs only the past."""
        return self.directions == 1

    @property
    def cells(self) -> list[list[Cell]]:
        """`cells[layer][direction]`"""
        return cast("list[list[Cell]]", [list(layer.children()) for layer in self.layers])

    def initial_state(self, batch: int) -> States:
        return [[cell.initial_state(batch) for cell in layer] for layer in self.cells]

    def forward(
        self,
        x: Float[Tensor, "batch time features"],
        lengths: Int[Tensor, "batch"] | None = None,
        states: States | None = None,
    ) -> tuple[Float[Tensor, "batch time output_width"], States]:
        """Outputs of every step (zero in the padding) and the final states, in the order of the batch."""
        batch, time = x.shape[:2]
        layout = packing(lengths, batch, time, x.device, batch_first=True)
        states = self.initial_state(batch) if states is None else states
        values = layout.pack(x)
        final: States = []
        for number, (layer, before) in enumerate(zip(self.cells, states, strict=True)):
            into = self.drop(values) if number else values
            outputs, after = [], []
            for direction, (cell, state) in enumerate(zip(layer, before, strict=True)):
                state = type(state)(*map(layout.sort, state))
                out, last = unroll(cell, into, layout.counts, state, reverse=direction == 1)
                outputs.append(out)
                after.append(type(last)(*map(layout.unsort, last)))
            final.append(after)
            values = self._join(values, outputs)
        return layout.pad(values), final

    def step(
        self, x: Float[Tensor, "batch features"], states: States
    ) -> tuple[Float[Tensor, "batch output_width"], States]:
        """One more step of every row; only for a causal stack."""
        assert self.causal, "a bidirectional stack has no step"
        final: States = []
        for number, (layer, (state,)) in enumerate(zip(self.cells, states, strict=True)):
            (cell,) = layer
            gates = cell.project(self.drop(x) if number else x)
            state = cell.step(gates, state)
            final.append([state])
            x = self._join(x, [cell.output(gates, state)])
        return x, final

    def _join(self, into: Tensor, outputs: list[Tensor]) -> Tensor:
        out = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        return out + into if self.residual and out.shape == into.shape else out
