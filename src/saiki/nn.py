"""Recurrent layers in place of `torch.nn.RNN`, `LSTM` and `GRU`: same signature, weights and answers, and `lengths=`.

    layer = saiki.nn.GRU(64, 128, num_layers=2, batch_first=True)
    output, h_n = layer(x)                                        as torch.nn.GRU
    output, h_n = layer(x, lengths=torch.tensor([7, 0, 3]))       padded rows of different lengths

    layer = saiki.nn.Recurrent("mingru", 64, 128)                 any cell, one's own included

The mathematics of one step stands in `saiki.cells`; on a CPU the kernels compute the whole sequence at once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from saiki import kernels
from saiki.cells import make_cell
from saiki.cells.base import GatedCell
from saiki.errors import DataError, OptionError
from saiki.kernels.table import say_once
from saiki.network.attention import Attention, AttentionPool, CausalAttention
from saiki.network.eager import not_compiled
from saiki.network.layers import Recurrent, check_dropout, check_flags, check_sizes
from saiki.network.packing import as_lengths, checked_lengths, packing
from saiki.network.readout import Readout, StepReadout
from saiki.network.unroll import autocast, obstacle, unroll_reference
from saiki.shapes import Float, Int

__all__ = ["GRU", "LSTM", "RNN", "Attention", "AttentionPool", "CausalAttention", "Readout", "Recurrent", "StepReadout"]

#: one tensor `[num_layers * directions, batch, width]` per part of the cell's state
Parts = tuple[Tensor, ...]


class _Recurrent(nn.Module):
    """Layers of one cell with flat weights, `weight_ih_l0`, `weight_hh_l0_reverse`, …, as `torch.nn` keeps them.

    The weights are handed to the computation anew at every call, so whatever stands under their names is used:
    parametrizations, tied or swapped weights, those of `torch.func.functional_call`.
    """

    #: name of the cell in `saiki.cells`
    cell: str
    #: what `torch.nn` has under these names
    mode: str
    proj_size: int = 0

    def __init__(
        self, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype, **options
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_flags(bias=bias, batch_first=batch_first)
        check_dropout(dropout)
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"dropout={dropout} acts between layers; num_layers is 1: nothing is dropped", stacklevel=3)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self._options = bool(bidirectional), options
        formula = _formula(self.cell, hidden_size, bias, options)
        self._formula = (formula,)  # in a tuple, because it is no submodule: it has no numbers
        state = formula.initial_state(0)
        self._state_kind, self._state_widths = type(state), [part.shape[1] for part in state]
        self._row = self._row_of_kernels()
        self._weight_names = self._add_weights(formula, device, dtype)
        self.reset_parameters()

    def _row_of_kernels(self) -> kernels.Row | str:
        return kernels.row_for(self.cell, self._options, len(self._formula[0].weight_names()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A layer that was pickled elsewhere runs on the kernels that there are here."""
        super().__setstate__(state)
        self._row = self._row_of_kernels()

    def _add_weights(self, formula: GatedCell, device: Any, dtype: Any) -> list[list[str]]:
        """Register the weights; their names, one list for each layer and direction."""
        names = []
        for layer in range(self.num_layers):
            features = formula.output_width * self._directions if layer else self.input_size
            for suffix in ("", "_reverse")[: self._directions]:
                names.append([f"{name}_l{layer}{suffix}" for name, _ in formula.named_parameters()])
                for flat, (name, like) in zip(names[-1], formula.named_parameters(), strict=True):
                    shape = (len(like), features) if name == "weight_ih" else like.shape
                    self.register_parameter(flat, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        return names

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights, one list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._weight_names]

    def reset_parameters(self) -> None:
        """Uniform in ±1/√hidden_size, drawn in the order of `torch.nn`."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do here; `torch.nn` has it."""

    def extra_repr(self) -> str:
        usual = [("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0)]
        usual.append(("bidirectional", False))
        other = [f"{name}={getattr(self, name)}" for name, value in usual if getattr(self, name) != value]
        return ", ".join([str(self.input_size), str(self.hidden_size), *other])

    def forward(self, input: Tensor | PackedSequence, hx: Any = None, lengths: Any = None) -> tuple[Any, Any]:
        """Outputs of every step and the final states.

        Args:
            input: `[time, batch, input_size]`, `[batch, time, input_size]` with batch_first, `[time, input_size]`, or a
                PackedSequence.
            hx: initial states `[num_layers * directions, batch, width]` (no batch axis for unbatched input), zeros by
                default; for the LSTM a pair (h_0, c_0).
            lengths: valid steps of every row `[batch]`, 0 to time, in any order, on any device. Outputs are zero in the
                padding, whatever stands there in the input; the final states are those of each row's last valid step.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths)
        dimensions, axis = input.dim(), 0 if self.batch_first else 1
        if dimensions not in (2, 3):
            raise DataError(f"input: got {dimensions} dimensions; expected 3, or 2 for a single sequence")
        self._check_input(input)
        if single := dimensions == 2:
            input = input.unsqueeze(axis)
        shape = input.shape
        batch, time = shape[axis], shape[1 - axis]
        lengths = None if lengths is None else as_lengths(lengths, single)
        states = self._initial(input, hx, batch, single)
        output, final = self._forward_padded(input, states, lengths, batch, time)
        return (output.squeeze(axis) if single else output), self._final(final, None, single)

    def _forward_padded(
        self, x: Tensor, states: Parts | None, lengths: Tensor | None, batch: int, time: int
    ) -> tuple[Tensor, Parts]:
        """Kernels read and write the padded batch as it lies; all else runs on packed steps."""
        kernel = self._kernel(x)
        if kernel and type(x) is Tensor and x.numel() and not torch.compiler.is_compiling():
            if lengths is not None:
                lengths = checked_lengths(lengths, batch, time)
            if lengths is None or any(lengths.tolist()):
                return self._layers(x, states, kernel, self._reference_padded, lengths)
        layout = packing(lengths, batch, time, x.device, self.batch_first)
        states = states or self._zeros(x, batch)
        values, final = self._run(layout.pack(x), layout.counts, states, layout.order, kernel)
        return layout.pad(values), _reorder(final, layout.back)

    def _forward_packed(self, input: PackedSequence, hx: Any, lengths: Any) -> tuple[PackedSequence, Any]:
        if lengths is not None:
            raise DataError("lengths: got them beside a PackedSequence, which has its own; leave them out")
        data, counts, order, back = input
        if data.dim() != 2:
            raise DataError(f"input: got packed data with {data.dim()} dimensions; expected 2, [steps, input_size]")
        self._check_input(data)
        kernel, batch = self._kernel(data), int(counts[0])
        states = self._initial(data, hx, batch, False)
        if states is None and (not kernel or torch.compiler.is_compiling()):
            states = self._zeros(data, batch)
        values, final = self._run(data, counts, states, order, kernel)
        return PackedSequence(values, counts, order, back), self._final(final, back, False)

    def _run(
        self,
        x: Float[Tensor, "steps features"],
        counts: Int[Tensor, "time"],
        states: Parts | None,
        order: Tensor | None,
        kernel: str | None,
    ) -> tuple[Float[Tensor, "steps output_width"], Parts]:
        """All layers over packed steps; `order` sorts the rows of the states as those of x."""
        return self._layers(x, states and _reorder(states, order), kernel, self._reference, counts)

    def _layers(
        self, x: Tensor, states: Parts | None, kernel: str | None, reference: Callable[..., Any], counts: Tensor | None
    ) -> tuple[Tensor, Parts]:
        """All layers over packed steps and `counts`, or over a padded batch and its lengths; no states: zeros."""
        directions, final = self._directions, []
        nothing = (None,) * len(self._state_widths)
        if kernel and self.num_layers * directions == 1:
            given = [(states or nothing, self._weights(0), False)]
            return kernels.unroll_layer(kernel, x, given, counts, reference, self.batch_first, stacked=True)[0]
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = nn.functional.dropout(x, self.dropout, self.training)
            given = []
            for number in range(layer * directions, (layer + 1) * directions):
                before = tuple([part[number] for part in states]) if states else nothing
                given.append((before, self._weights(number), number > layer * directions))
            if kernel:
                found = kernels.unroll_layer(kernel, x, given, counts, reference, self.batch_first)
            else:
                found = [reference(x, state, weights, counts, reverse) for state, weights, reverse in given]
            outputs = [y for y, _ in found]
            final.extend([last for _, last in found])
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        return x, tuple(_stack(parts) for parts in zip(*final, strict=True))

    def _weights(self, number: int) -> tuple[Tensor | None, ...]:
        """The weights of one layer and direction in the order of the kernels, None for an absent bias."""
        found = [self._weight(name) for name in self._weight_names[number]]
        return tuple(found) if self.bias else (*found[:2], None, None, *found[2:])

    def _weight(self, name: str) -> Tensor:
        """`getattr`, but quicker where it is a parameter; a parametrization is none."""
        found = self._parameters.get(name)
        return getattr(self, name) if found is None else found

    @not_compiled
    def _reference(self, x, state: Parts, weights: tuple[Tensor | None, ...], counts, reverse) -> tuple[Tensor, Parts]:
        cell = self._formula[0].using(weights)
        return unroll_reference(cell, x, counts, self._state_kind(*state), reverse)

    def _reference_padded(
        self, x: Tensor, state: Parts, weights: tuple[Tensor | None, ...], lengths: Tensor | None, reverse: bool
    ) -> tuple[Tensor, Parts]:
        batch, time = x.shape[:2] if self.batch_first else x.shape[1::-1]
        layout = packing(lengths, batch, time, x.device, self.batch_first)
        before = tuple(map(layout.sort, state))
        y, final = self._reference(layout.pack(x), before, weights, layout.counts, reverse)
        return layout.pad(y), tuple(map(layout.unsort, final))

    def _kernel(self, x: Tensor) -> str | None:
        """The name of the kernel that computes this layer on x; None: the reference does, and says why once."""
        found = obstacle(x) or self._row
        if not isinstance(found, str):
            found = kernels.runs(found, x.device.type, x.dtype)
        if isinstance(found, str):
            say_once(found)
            return None
        return found.kernel

    def _check_input(self, input: Tensor) -> None:
        if (features := input.shape[-1]) != self.input_size:
            raise DataError(f"input: got {features} features per step; expected input_size={self.input_size}")
        dtype = self._weight(self._weight_names[0][0]).dtype
        if input.dtype != dtype and not autocast(input):
            raise DataError(
                f"input: got {input.dtype}; expected the dtype of the weights, {dtype} "
                f"(input.to({dtype}){f', or layer.to({input.dtype})' if input.is_floating_point() else ''})"
            )

    def _shapes(self, batch: int) -> list[tuple[int, int, int]]:
        return [(self.num_layers * self._directions, batch, width) for width in self._state_widths]

    def _zeros(self, x: Tensor, batch: int) -> Parts:
        return tuple([x.new_zeros(shape) for shape in self._shapes(batch)])

    def _initial(self, x: Tensor, hx: Any, batch: int, single: bool) -> Parts | None:
        """The initial states, one tensor for each part of the cell's state; None: zeros."""
        if hx is None:
            return None
        parts = self._parts(hx)
        checked = []
        for name, part, shape in zip(("h_0", "c_0"), parts, self._shapes(batch), strict=False):
            if not isinstance(part, Tensor):
                raise DataError(f"hx: got {name} of {type(part).__name__}; expected a tensor")
            expected = (shape[0], shape[2]) if single else shape
            if tuple(part.shape) != expected:
                raise DataError(f"hx: got {name} of shape {tuple(part.shape)}; expected {expected}")
            if part.dtype != x.dtype and not autocast(x):
                raise DataError(f"hx: got {name} of {part.dtype}; expected the dtype of the input, {x.dtype}")
            checked.append(part.unsqueeze(1) if single else part)
        return tuple(checked)

    def _parts(self, hx: Any) -> Sequence[Tensor]:
        if not isinstance(hx, Tensor):
            raise DataError(f"hx: got {type(hx).__name__}; expected a tensor, the initial hidden state")
        return (hx,)

    def _final(self, parts: Parts, back: Tensor | None, single: bool) -> Any:
        if back is not None:
            parts = _reorder(parts, back)
        if single:
            parts = tuple(part.squeeze(1) for part in parts)
        return parts[0] if len(parts) == 1 else parts


class RNN(_Recurrent):
    """Elman network: `saiki.cells.elman` in layers, as `torch.nn.RNN`."""

    cell = "elman"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"nonlinearity: got {nonlinearity!r}; expected 'tanh' or 'relu'")
        given = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        super().__init__(*given, nonlinearity=nonlinearity)
        self.nonlinearity, self.mode = nonlinearity, f"RNN_{nonlinearity.upper()}"


class GRU(_Recurrent):
    """Gated recurrent unit: `saiki.cells.gru` in layers, as `torch.nn.GRU`."""

    cell, mode = "gru", "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)


class LSTM(_Recurrent):
    """Long short-term memory: `saiki.cells.lstm` in layers, as `torch.nn.LSTM`; its states are pairs (h, c)."""

    cell, mode = "lstm", "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_sizes(hidden_size=hidden_size)
        if not isinstance(proj_size, int) or not 0 <= proj_size < hidden_size:
            raise OptionError(f"proj_size: got {proj_size!r}; expected 0 (no projection) to {hidden_size - 1}")
        given = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        super().__init__(*given, projection=proj_size)
        self.proj_size = proj_size

    def _parts(self, hx: Any) -> Sequence[Tensor]:
        if not isinstance(hx, (tuple, list)) or len(hx) != 2:
            raise DataError(f"hx: got {type(hx).__name__}; expected a pair (h_0, c_0), the initial states of an LSTM")
        return tuple(hx)


def _formula(name: str, width: int, bias: bool, options: dict[str, Any]) -> GatedCell:
    """The cell without numbers of its own and for one feature: weights are given to it at every call."""
    with torch.device("meta"):
        cell = make_cell(name, 1, width, bias=bias, **options)
    assert isinstance(cell, GatedCell)
    return cell


def _reorder(parts: Parts, order: Tensor | None) -> Parts:
    return parts if order is None else tuple(part.index_select(1, order) for part in parts)


def _stack(parts: Parts) -> Tensor:
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)
