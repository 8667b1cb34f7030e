"""A stack that takes one sequence step by step, layers with a kernel in native code: what generation runs on."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from saiki import kernels
from saiki.cells.base import Cell
from saiki.kernels.table import Row
from saiki.network.stack import Stack
from saiki.network.unroll import needed, one_step


class _Native:
    """A layer in native code."""

    def __init__(self, row: Row, cell: Cell) -> None:
        self.kind = type(cell.initial_state(1))
        self.stream = kernels.NativeStream(row.kernel, cast("Any", cell).weights())
        self.push = self.stream.push

    @property
    def state(self) -> Any:
        return self.kind(*(part[None] for part in self.stream.state))

    @state.setter
    def state(self, state: Any) -> None:
        self.stream.state = [part[0] for part in state]


class _Reference:
    """A layer step by step, for cells without a kernel; the first layer or one above it."""

    def __init__(self, cell: Cell, above: bool) -> None:
        self.cell, self.above, self.state = cell, above, cell.initial_state(1)

    def push(self, x: Tensor) -> Tensor:
        x = x[None]
        y, self.state = one_step(self.cell, x, self.state, **needed(self.cell, x, {}, self.above))
        return y[0]


class StackStream:
    """The steps of one sequence through a causal stack: `push(x [features]) -> [output_width]`, as `Stack.step` gives.

    The weights are those of the moment in which it is made, and no gradient flows. `state` is that of `Stack`; a new stream
    begins at the cells' own initial states.
    """

    def __init__(self, stack: Stack) -> None:
        assert stack.causal, "a bidirectional stack has no step"
        self.stack = stack.eval()
        self._layers = [self._layer(cell, number) for number, (cell,) in enumerate(stack.cells)]
        self._plain = all(isinstance(n, torch.nn.Identity) for n in (*stack.before, *stack.after))
        self._connections = [None if c.kind == "plain" else c for c in stack.connections]
        self._past = None if stack.attention is None else stack.attention.initial_state(1)

    @staticmethod
    def _layer(cell: Cell, number: int) -> _Native | _Reference:
        state = cell.initial_state(1)
        like = state[0]  # a reservoir has no parameters
        row = kernels.find(cell, like, state) if like.device.type == "cpu" else None
        if isinstance(row, Row) and row.weights:  # a scan has no weights of its own, and no stream
            layer = _Native(row, cell)
            layer.state = state
            return layer
        return _Reference(cell, number > 0)

    @torch.no_grad()
    def push(self, x: Tensor) -> Tensor:
        for number, (layer, connect) in enumerate(zip(self._layers, self._connections, strict=True)):
            into = x if self._plain or number == 0 else cast("Any", self.stack.before)[number](x)
            y = layer.push(into.contiguous())
            x = y if connect is None else connect(x, y)
            if not self._plain:
                x = cast("Any", self.stack.after)[number](x)
        if self.stack.attention is not None:
            up, self._past = self.stack.attention(x[None, None], None, self._past)
            x = up[0, 0]
        return x

    @property
    def state(self) -> list[list[Any]]:
        states = [[layer.state] for layer in self._layers]
        return states if self._past is None else [*states, [self._past]]

    @state.setter
    def state(self, states: list[list[Any]]) -> None:
        for layer, (state,) in zip(self._layers, states, strict=False):
            layer.state = state
        if self.stack.attention is not None:
            (self._past,) = states[-1]
