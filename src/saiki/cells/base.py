"""The contract of a cell: the maths of one time step, and nothing else."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells._start import recurrent_
from saiki.errors import OptionError
from saiki.shapes import Float

#: A NamedTuple of batch-first tensors: everything that a cell remembers from one step to the next.
State = Any


class Cell(nn.Module):
    """One time step of a recurrent network: no loop, no padding, no direction, no dropout between layers.

    A sequence is run by `saiki.network.unroll`, which calls `project` once for all valid steps, `initial_state` once,
    and then `step` and `output` once per time step. What must be drawn once per sequence is drawn in `initial_state`,
    what must be drawn per step in `project`.
    """

    #: units of the state
    width: int
    #: numbers per step that go up to the next layer
    output_width: int
    #: earlier inputs that `project` needs beside the present one; `unroll` keeps them
    history: int = 0
    #: what `project` takes besides the input, of {"gap", "observed", "feedback"}
    needs: frozenset[str] = frozenset()

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        """All that depends on the input alone, for all valid steps at once (packed, no padding)."""
        raise NotImplementedError

    def initial_state(self, batch: int) -> State:
        """The state before the first step, for `batch` rows, on the device and in the dtype of the weights."""
        raise NotImplementedError

    def step(self, gates: Float[Tensor, "batch gates"], state: State) -> State:
        """The state after one more step."""
        raise NotImplementedError

    def output(self, gates: Float[Tensor, "batch gates"], state: State) -> Float[Tensor, "batch output_width"]:
        """What goes up after a step: the hidden state, unless a cell says otherwise."""
        return state.h


class GatedCell(Cell):
    """Weights and initialisation shared by the cells of `torch.nn`: names, shapes, gate order, U(±1/√width).

        gates_t = W_ih x_t + b_ih                    project
        recur(h) = W_hh h + b_hh                     the recurrent product

    `recur` is the one place where the previous state meets the weights, so that layer norm, state dropout and weight
    drop can replace it.
    """

    #: blocks of `width` rows in the weights
    blocks: int
    #: first values that the recurrent weight may have
    inits: tuple[str, ...] = ("uniform", "orthogonal")

    def __init__(self, features: int, width: int, *, bias: bool = True, recurrent_init: str = "uniform") -> None:
        if recurrent_init not in self.inits:
            raise OptionError(f"recurrent_init: got {recurrent_init!r}; this cell takes {' or '.join(self.inits)}")
        super().__init__()
        self.recurrent_init = recurrent_init
        self.features, self.width, self.output_width = features, width, width
        rows = self.blocks * width
        self.weight_ih = nn.Parameter(torch.empty(rows, features))
        self.weight_hh = nn.Parameter(torch.empty(rows, width))
        self.bias_ih = nn.Parameter(torch.empty(rows)) if bias else None
        self.bias_hh = nn.Parameter(torch.empty(rows)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√width, as `torch.nn` does; then the recurrent weight as asked for."""
        bound = 1 / math.sqrt(self.width) if self.width else 0.0
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        if self.recurrent_init != "uniform":
            recurrent_(self.weight_hh, self.recurrent_init, self.blocks)

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        return nn.functional.linear(x, self.weight_ih, self.bias_ih)

    def recur(self, h: Float[Tensor, "batch width"]) -> Float[Tensor, "batch gates"]:
        return nn.functional.linear(h, self.weight_hh, self.bias_hh)

    def weight_names(self) -> tuple[str, ...]:
        """Names of the weights in the order that the kernels take them."""
        return "weight_ih", "weight_hh", "bias_ih", "bias_hh"

    def weights(self) -> tuple[Tensor | None, ...]:
        """The weights in that order; a bias may be absent."""
        return tuple(getattr(self, name) for name in self.weight_names())

    def using(self, weights: tuple[Tensor | None, ...]) -> GatedCell:
        """This cell with other weights, in that order, for one unroll: nothing is copied and no key renamed."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _parameters=dict(zip(self.weight_names(), weights, strict=True)))
        return twin

    def zeros(self, batch: int) -> Float[Tensor, "batch width"]:
        return self.weight_hh.new_zeros(batch, self.width)

    def extra_repr(self) -> str:
        return f"{self.features}, {self.width}" + ("" if self.bias_ih is not None else ", bias=False")


class LinearState(NamedTuple):
    h: Tensor  # [batch, width]


class LinearCell(Cell):
    """A recurrence that is linear in its state, unit by unit: the gates do not see the past, so time runs in parallel.

        h_t = decay_t ∘ h_{t-1} + inflow_t

    A cell says `coefficients`; the step comes from here, and a kernel (`saiki.kernels.scan`) takes whole sequences.
    Weights: `blocks` times `width` rows, and biases, uniform in ±1/√features.
    """

    #: blocks of `width` rows in the weights
    blocks: int

    def __init__(self, features: int, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.features, self.width, self.output_width = features, width, width
        self.weight_ih = nn.Parameter(torch.empty(self.blocks * width, features))
        self.bias_ih = nn.Parameter(torch.empty(self.blocks * width)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.features) if self.features else 0.0
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        return nn.functional.linear(x, self.weight_ih, self.bias_ih)

    def coefficients(
        self, gates: Float[Tensor, "steps gates"]
    ) -> tuple[Float[Tensor, "steps width"], Float[Tensor, "steps width"]]:
        """Decay and inflow of every step."""
        raise NotImplementedError

    def initial_state(self, batch: int) -> LinearState:
        return LinearState(self.weight_ih.new_zeros(batch, self.width))

    def step(self, gates: Float[Tensor, "batch gates"], state: LinearState) -> LinearState:
        decay, inflow = self.coefficients(gates)
        return LinearState(decay * state.h + inflow)

    def extra_repr(self) -> str:
        return f"{self.features}, {self.width}" + ("" if self.bias_ih is not None else ", bias=False")
