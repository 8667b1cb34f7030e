"""Layers of any cell, the library's or one's own, on padded batches, packed sequences and single sequences."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from saiki.cells import make_cell
from saiki.cells.base import Cell, State
from saiki.errors import DataError, OptionError, near_misses
from saiki.network.packing import Packing, as_lengths, packing
from saiki.network.unroll import autocast, unroll_layer


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
        check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_flags(batch_first=batch_first, bidirectional=bidirectional)
        check_dropout(dropout)
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

    def reset_parameters(self) -> None:
        """First values of all cells, drawn anew."""
        for cell in self.cells:
            if (reset := getattr(cell, "reset_parameters", None)) is not None:
                reset()

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
                for a single sequence); by default, and for an entry that is None, the cells' own.
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
            self._check_input(data, 2)
            layout = Packing(counts, int(counts[0]), len(counts), order=order, back=back)
            y, final = self._run(data, layout, states, {})
            return PackedSequence(y, counts, order, back), final
        single, axis = input.dim() == 2, 0 if self.batch_first else 1
        if single:
            input, given = input.unsqueeze(axis), {name: values.unsqueeze(axis) for name, values in given.items()}
        self._check_input(input, 3)
        self._check_given(input, given)
        lengths = None if lengths is None else as_lengths(lengths, single)
        layout = packing(lengths, input.shape[axis], input.shape[1 - axis], input.device, self.batch_first)
        packed = {name: layout.pack(values) for name, values in given.items()}
        y, final = self._run(layout.pack(input), layout, states, packed)
        output = layout.pad(y)
        return (output.squeeze(axis) if single else output), final

    def _run(
        self, x: Tensor, layout: Packing, states: Sequence[State] | None, given: dict[str, Tensor]
    ) -> tuple[Tensor, list[State]]:
        """All layers over packed steps; states are in the order of the batch."""
        cells, final = cast("list[Cell]", list(self.cells)), []
        usual = [cell.initial_state(layout.batch) for cell in cells]
        states = usual if states is None else self._checked_states(states, usual)
        for first in range(0, len(cells), self._directions):
            if first:
                x = nn.functional.dropout(x, self.dropout, self.training)
            both = slice(first, first + self._directions)
            found = unroll_layer(cells[both], x, layout, states[both], given, above=first > 0)
            outputs = [y for y, _ in found]
            final.extend([state for _, state in found])
            x = torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0]
        return x, final

    def _check_input(self, x: Tensor, axes: int) -> None:
        if x.dim() != axes or x.shape[-1] != self.input_size:
            raise DataError(
                f"input: got shape {tuple(x.shape)}; expected {axes} axes, the last of {self.input_size} features"
            )
        dtype = next((weight.dtype for weight in self.parameters()), x.dtype)
        if x.dtype != dtype and not autocast(x):
            raise DataError(f"input: got {x.dtype}; expected the dtype of the weights, {dtype}")

    def _check_given(self, x: Tensor, given: dict[str, Tensor]) -> None:
        wanted = set().union(*(cell.needs for cell in cast("list[Cell]", list(self.cells))))
        for name, values in given.items():
            if name not in wanted:
                needs = f"needs {', '.join(sorted(wanted))}" if wanted else "needs nothing"
                raise OptionError(
                    f"{name} has no meaning here{near_misses(name, wanted)}: this cell {needs} beside its input"
                )
            if not isinstance(values, Tensor):
                raise DataError(f"{name}: got {type(values).__name__}; expected a tensor, or leave it out")
            numbers = {1, self.input_size} if name == "observed" else {1}
            if name == "feedback":
                numbers = {cast("Any", cell).fed_back for cell in self.cells}
            if values.dim() != 3 or values.shape[:2] != x.shape[:2] or values.shape[2] not in numbers:
                expected = " or ".join(str((*x.shape[:2], number)) for number in sorted(numbers))
                raise DataError(f"{name}: got shape {tuple(values.shape)}; expected {expected}")

    def _checked_states(self, states: Sequence[State], usual: list[State]) -> Sequence[State]:
        if len(states) != len(usual):
            raise DataError(f"states: got {len(states)}; expected {len(usual)}, one per layer and direction")
        states = [
            like if state is None else state if isinstance(state, type(like)) else self._as(like, state)
            for state, like in zip(states, usual, strict=True)
        ]
        for number, (state, like) in enumerate(zip(states, usual, strict=True)):
            got, expected = ([tuple(part.shape) for part in parts] for parts in (state, like))
            if got != expected:
                raise DataError(f"states: got shapes {got} for number {number}; expected {expected}")
            for part, one in zip(state, like, strict=True):
                if part.dtype != one.dtype and not autocast(part):
                    raise DataError(
                        f"states: got {part.dtype} for number {number}; expected that of the cell, {one.dtype}"
                    )
        return states

    @staticmethod
    def _as(like: State, state: Any) -> State:
        """Plain tensors as the state of a cell."""
        parts = [state] if isinstance(state, Tensor) else list(state)
        if len(parts) != len(like) or not all(isinstance(part, Tensor) for part in parts):
            raise DataError(
                f"states: got {type(state).__name__} of {len(parts)}; expected {len(like)} tensor(s) per layer and direction"
            )
        return type(like)(*parts)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"


def _make(cell: str | type[Cell], features: int, width: int, options: dict[str, Any]) -> Cell:
    return make_cell(cell, features, width, **options) if isinstance(cell, str) else cell(features, width, **options)


def check_sizes(**sizes: Any) -> None:
    for name, size in sizes.items():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise OptionError(f"{name}: got {size!r}; expected a whole number of at least 1")


def check_flags(**flags: Any) -> None:
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise OptionError(f"{name}: got {flag!r}; expected True or False")


def check_dropout(dropout: Any) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise OptionError(f"dropout: got {dropout!r}; expected the share of units to drop, a number from 0 to 1")
