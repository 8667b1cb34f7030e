"""Layers of cells: one or both directions each, connections, layer norm and dropout between them."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from saiki.cells import make_cell, options_of
from saiki.cells.base import Cell, State
from saiki.errors import OptionError
from saiki.network.attention import KINDS as ACROSS
from saiki.network.connection import Connection
from saiki.network.dropout import Dropout
from saiki.network.options import Network
from saiki.network.packing import Packing, packing
from saiki.network.past import PastAttention
from saiki.network.unroll import needed, one_step, unroll_layer
from saiki.shapes import Float, Int

#: states of all layers: `states[layer][direction]`, and with attention its own behind them
States = list[list[State]]


class Stack(nn.Module):
    """Recurrent layers from `features` to `output_width` numbers per step.

        x^0 = x;   x^l = after(connect(x^{l-1}, merge(cell_l(drop(before(x^{l-1}))))))

    connect joins input and output of a layer (see `Connection`); before or after is a layer norm, or nothing. The first
    layer takes its input as it is. merge makes one of two directions: side by side, their sum or their mean.
    drop draws anew at every step, or with `locked` once per sequence (a step that stands alone draws its own).
    What goes up from the last layer may pass attention on its own past (see `PastAttention`).

    Source: locked dropout: Gal and Ghahramani 2016 (arXiv 1512.05287), its masks between layers; layer norm: Ba et al.
    2016 (arXiv 1607.06450), on what goes from layer to layer.
    """

    backward: Tensor  # [output_width], which numbers of the output a backward direction wrote

    def __init__(self, features: int, options: Network, width: int) -> None:
        super().__init__()
        self.merge, self.locked = options.merge, options.locked
        self.directions = 2 if options.bidirectional else 1
        self.drop = Dropout(options.dropout)
        layers, connections, norms = [], [], []
        backward = [False] * features
        given = _by_cell(options)
        for number, name in enumerate(options.cells):
            cells = [make_cell(name, features, width, **given[name]) for _ in range(self.directions)]
            layers.append(nn.ModuleList(cells))
            if options.norm == "before":
                norms.append(nn.LayerNorm(features) if number else nn.Identity())
            widths = [cell.output_width for cell in cells]
            out = sum(widths) if self.merge == "concatenate" else widths[0]
            connections.append(Connection(options.connection, features, out))
            own = [False] * widths[0] + [self.merge == "concatenate"] * (out - widths[0])
            backward = backward + own if connections[-1].kind == "dense" else own
            features = connections[-1].output_width
            if options.norm == "after":
                norms.append(nn.LayerNorm(features))
        self.layers, self.connections = nn.ModuleList(layers), nn.ModuleList(connections)
        nothing = nn.ModuleList(nn.Identity() for _ in layers)
        norms = nn.ModuleList(norms) if norms else nothing
        self.before, self.after = (norms, nothing) if options.norm == "before" else (nothing, norms)
        self.register_buffer("backward", torch.tensor(backward, dtype=torch.bool), persistent=False)
        self.output_width = features
        self.attention = None
        if options.attention in ACROSS:
            raise OptionError(
                f"attention {options.attention} reads another sequence, as translate does; expected pool or causal"
            )
        if options.attention != "none":
            self.attention = PastAttention(options.attention, features, options.lookback)

    @property
    def causal(self) -> bool:
        """Whether the answer at t needs only the past."""
        return self.directions == 1

    @property
    def cells(self) -> list[list[Cell]]:
        """`cells[layer][direction]`"""
        return cast("list[list[Cell]]", [list(layer.children()) for layer in self.layers])

    def initial_state(self, batch: int) -> States:
        states: States = [[cell.initial_state(batch) for cell in layer] for layer in self.cells]
        return [*states, [self.attention.initial_state(batch)]] if self.attention else states

    def forward(
        self,
        x: Float[Tensor, "batch time features"],
        lengths: Int[Tensor, "batch"] | None = None,
        states: States | None = None,
        **given: Float[Tensor, "batch time _"],
    ) -> tuple[Float[Tensor, "batch time output_width"], States]:
        """Outputs of every step (zero in the padding) and the final states, in the order of the batch.

        `given` brings gap (time since the step before) and observed (1, or 0 where x was missing) for the cells that
        need them; without them, steps are 1 apart and all is observed.
        """
        states = self.initial_state(len(x)) if states is None else states
        layout = packing(lengths, x.shape[0], x.shape[1], x.device, batch_first=True)
        values, final = self._layers(x, layout, states, given)
        y = layout.pad(values)
        if self.attention:
            y, last = self.attention(y, lengths, states[-1][0])
            final.append([last])
        return y, final

    def attention_weights(
        self, x: Float[Tensor, "batch time features"], lengths: Int[Tensor, "batch"] | None = None, **given: Tensor
    ) -> Float[Tensor, "batch time ..."]:
        """How much attention gives to every step: see `PastAttention.weights`. OptionError for a stack without it."""
        if self.attention is None:
            raise OptionError("this network has no attention to show; expected one trained with --attention")
        layout = packing(lengths, x.shape[0], x.shape[1], x.device, batch_first=True)
        values, _ = self._layers(x, layout, self.initial_state(len(x)), given)
        return self.attention.weights(layout.pad(values), lengths)

    def _layers(self, x: Tensor, layout: Packing, states: States, given: dict[str, Tensor]) -> tuple[Tensor, States]:
        """What goes up from the last layer, packed, and the final state of every layer."""
        values = layout.pack(x)
        wanted = {name for layer in self.cells for cell in layer for name in cell.needs}
        packed = {name: layout.pack(values) for name, values in given.items() if name in wanted}
        values = _seen(values, packed)
        final: States = []
        for number, (layer, before) in enumerate(zip(self.cells, states, strict=False)):
            into = self._enter(number, values, layout.counts)
            found = unroll_layer(layer, into, layout, before, packed, above=number > 0)
            final.append([state for _, state in found])
            values = self._leave(number, values, [y for y, _ in found])
        return values, final

    def step(
        self, x: Float[Tensor, "batch features"], states: States, **given: Float[Tensor, "batch _"]
    ) -> tuple[Float[Tensor, "batch output_width"], States]:
        """One more step of every row; only for a causal stack."""
        assert self.causal, "a bidirectional stack has no step"
        final: States = []
        x = _seen(x, given if "observed" in self.cells[0][0].needs else {})
        for number, (layer, (state,)) in enumerate(zip(self.cells, states, strict=False)):
            (cell,) = layer
            into = self._enter(number, x)
            y, state = one_step(cell, into, state, **needed(cell, into, given, number > 0))
            final.append([state])
            x = self._leave(number, x, [y])
        if self.attention:
            up, last = self.attention(x[:, None], None, states[-1][0])
            x = up[:, 0]
            final.append([last])
        return x, final

    def _enter(self, number: int, x: Tensor, counts: Tensor | None = None) -> Tensor:
        """What the cells of a layer read."""
        if number == 0:
            return x
        x = self.before[number](x)
        if not (self.locked and counts is not None and self.training and len(counts)):
            return self.drop(x)
        mask = self.drop(x.new_ones(int(counts[0]), x.shape[1]))  # [batch, features]
        rows = torch.cat([torch.arange(count) for count in counts.tolist()])  # the row of every packed step
        return x * mask.index_select(0, rows.to(x.device))

    def _leave(self, number: int, x: Tensor, outputs: list[Tensor]) -> Tensor:
        """What goes up from a layer with input x."""
        out = outputs[0] if len(outputs) == 1 else _MERGE[self.merge](outputs)
        return self.after[number](self.connections[number](x, out))


_MERGE = {
    "concatenate": lambda outputs: torch.cat(outputs, -1),
    "sum": lambda outputs: outputs[0] + outputs[1],
    "mean": lambda outputs: (outputs[0] + outputs[1]) / 2,
}


def _seen(x: Tensor, given: dict[str, Tensor]) -> Tensor:
    """x with 0 where it is missing, as cells that know of it read it: connections send it up."""
    observed = given.get("observed")
    return x if observed is None else torch.where(observed.expand_as(x) == 0, 0, x)


def _by_cell(options: Network) -> dict[str, dict[str, Any]]:
    """The options of every cell; of several cells, each gets those that it takes, and one at least takes each."""
    given, names = options.cell_options(), sorted(set(options.cells))
    taken = {name: options_of(name) for name in names}
    nobodys = {option for option in given if not any(option in taken[name] for name in names)}
    return {name: {k: v for k, v in given.items() if k in taken[name] or k in nobodys} for name in names}
