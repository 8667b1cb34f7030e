"""Layers of any cell, the library's or one's own, on padded batches, packed sequences and single sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from saiki.cells import make_cell
from saiki.cells.base import Cell, State
from saiki.errors import DataError, OptionError
from saiki.network.packing import packing
from saiki.network.unroll import needed, unroll


class Recurrent(nn.Module):
    """Stacked layers of one cell, in one or both directions.

        layer = saiki.nn.Recurrent("mingru", 8, 16, num_layers=2, batch_first=True)
        output, states = layer(x, lengths=torch.tensor([7, 0, 3]))

    Args:
        cell: name of a cell (`saiki list cells`), or a class of one's own made as `cell(features, width, **options)`.
        dropout: share of units dropped between layers while training.
        options: of the cell, e.g. `zoneout=0.1`, `depth=3`.

    Raises:
        OptionError: an unknown cell or option, or a value out of range.
    """

    def __init__(
        self,
        cell: str | type[Cell],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise OptionError(f"{name}: got {size!r}; expected a whole number of at least 1")
        if not 0 <= dropout <= 1:
            raise OptionError(f"dropout: got {dropout!r}; expected the share of units to drop, a number from 0 to 1")
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        self.cells, features = nn.ModuleList(), input_size
        for _ in range(num_layers):
            layer = [_make(cell, features, hidden_size, options) for _ in range(self._directions)]
            self.cells.extend(layer)
            features = sum(one.output_width for one in layer)
        self.output_size = features
        self.to(device=device, dtype=dtype)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def forward(
        self,
        input: Tensor | PackedSequence,
        states: Sequence[State] | None = None,
        lengths: Tensor | None = None,
        **given: Tensor,
    ) -> tuple[Any, list[State]]:
        """Outputs of every step, shaped as the input, and the state of every layer and direction after its last step.

        Args:
            input: `[time, batch, input_size]`, `[batch, time, input_size]` with batch_first, `[time, input_size]`, or a
                PackedSequence.
            states: as returned, layer by layer, both directions of a layer together, parts `[batch, …]` (a batch of 1
                for a single sequence); by default the cells' own.
            lengths: valid steps of every row, in any order; outputs are zero in the padding, whatever stands there.
            given: what the cell needs beside the input, shaped like it: gap `[…, 1]`, observed `[…, 1 or input_size]`.
                Without them steps are 1 apart and all is observed; layers above the first take all as observed.
        """
        if isinstance(input, PackedSequence):
            if lengths is not None or given:
                raise DataError(
                    "got a PackedSequence and lengths, gap or observed beside it; expected padded input for those"
                )
            data, counts, order, back = input
            y, final = self._run(self._checked(data, 2), counts, states, {}, order, back)
            return PackedSequence(y, counts, order, back), final
        single, axis = input.dim() == 2, 0 if self.batch_first else 1
        if single:
            input, given = input.unsqueeze(axis), {name: values.unsqueeze(axis) for name, values in given.items()}
        self._checked(input, 3)
        layout = packing(lengths, input.shape[axis], input.shape[1 - axis], input.device, self.batch_first)
        for name, values in given.items():
            if values.shape[:2] != input.shape[:2]:
                raise DataError(
                    f"{name}: got shape {tuple(values.shape)}; expected {tuple(input.shape[:2])} and numbers"
                )
        packed = {name: layout.pack(values) for name, values in given.items()}
        y, final = self._run(layout.pack(input), layout.counts, states, packed, layout.order, layout.back)
        output = layout.pad(y)
        return (output.squeeze(axis) if single else output), final

    def _run(
        self,
        x: Tensor,
        counts: Tensor,
        states: Sequence[State] | None,
        given: dict[str, Tensor],
        order: Tensor | None,
        back: Tensor | None,
    ) -> tuple[Tensor, list[State]]:
        """All layers over packed steps; states are in the order of the batch."""
        batch = int(counts[0]) if len(counts) else 0
        batch = batch if order is None else len(order)
        cells, final = cast("list[Cell]", list(self.cells)), []
        if states is None:
            states = [cell.initial_state(batch) for cell in cells]
        elif len(states) != len(cells):
            raise DataError(f"states: got {len(states)}; expected {len(cells)}, one per layer and direction")
        for first in range(0, len(cells), self._directions):
            if first:
                x = nn.functional.dropout(x, self.dropout, self.training)
            outputs = []
            for number in range(first, first + self._directions):
                cell, state = cells[number], _moved(states[number], order)
                beside = needed(cell, x, given, above=first > 0)
                y, last = unroll(cell, x, counts, state, number > first, **beside)
                outputs.append(y)
                final.append(_moved(last, back))
            x = torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0]
        return x, final

    def _checked(self, x: Tensor, axes: int) -> Tensor:
        if x.dim() != axes or x.shape[-1] != self.input_size:
            raise DataError(
                f"input: got shape {tuple(x.shape)}; expected {axes} axes, the last of {self.input_size} features"
            )
        return x

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"


def _make(cell: str | type[Cell], features: int, width: int, options: dict[str, Any]) -> Cell:
    return make_cell(cell, features, width, **options) if isinstance(cell, str) else cell(features, width, **options)


def _moved(state: State, order: Tensor | None) -> State:
    return state if order is None else type(state)(*(part.index_select(0, order) for part in state))
