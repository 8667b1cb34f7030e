"""Depth inside one time step, around any cell: layers between a step and the next, and layers on the way up."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from saiki.cells.base import Cell, State
from saiki.errors import OptionError
from saiki.shapes import Float


class Deep(Cell):
    """Deep transition and deep output around a cell.

        s_t = cell(x_t, s_{t-1}),   h_t = tanh(W_L … tanh(W_1 h + b_1) … + b_L)    `transition` layers; h_t is carried on
        output_t = tanh(V_D … tanh(V_1 cell.output + c_1) … + c_D)                  `deep_output` layers

    Around an Elman cell this is the deep transition of the paper, with transition + 1 layers from h_{t-1} to h_t.

    Source: Pascanu et al., "How to Construct Deep Recurrent Neural Networks", 2013 (arXiv 1312.6026), sections 3.3.2 and
    3.3.3: DT-RNN, DO-RNN, both together DOT-RNN, without the shortcuts of DT(S).
    """

    def __init__(self, cell: Cell, transition: int = 0, deep_output: int = 0) -> None:
        for name, layers in (("transition", transition), ("deep_output", deep_output)):
            if layers < 0:
                raise OptionError(f"{name}: got {layers}; expected a number of layers, at least 0")
        state = cell.initial_state(0)
        if transition and "h" not in state._fields:
            raise OptionError(f"transition: {type(cell).__name__} has no hidden state h to pass through layers")
        super().__init__()
        self.cell, self.width, self.output_width = cell, cell.width, cell.output_width
        self.history, self.needs = cell.history, cell.needs
        hidden = state.h.shape[1] if transition else 0
        self.transition = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(transition))
        self.deep_output = nn.ModuleList(nn.Linear(self.output_width, self.output_width) for _ in range(deep_output))

    def drawn(self, batch: int) -> Cell:
        inner = self.cell.drawn(batch)
        if inner is self.cell:
            return self
        other = object.__new__(Deep)
        other.__dict__.update(self.__dict__, _modules={**self._modules, "cell": inner})
        return other

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        return self.cell.project(x, **given)

    def initial_state(self, batch: int) -> State:
        return self.cell.initial_state(batch)

    def step(self, gates: Float[Tensor, "batch gates"], state: State) -> State:
        state = self.cell.step(gates, state)
        return state._replace(h=_through(self.transition, state.h)) if self.transition else state

    def output(self, gates: Float[Tensor, "batch gates"], state: Any) -> Float[Tensor, "batch output_width"]:
        return self.up(self.cell.output(gates, state))

    def up(self, output: Float[Tensor, "batch output_width"]) -> Float[Tensor, "batch output_width"]:
        """The layers of the deep output."""
        return _through(self.deep_output, output)


def _through(layers: nn.ModuleList, h: Tensor) -> Tensor:
    for layer in layers:
        h = torch.tanh(layer(h))
    return h
