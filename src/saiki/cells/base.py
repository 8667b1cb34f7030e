"""The contract of a cell: the maths of one time step, and nothing else."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells._inside import check_shares, kept, norm, twin
from saiki.cells._start import recurrent_
from saiki.errors import OptionError
from saiki.shapes import Float

#: A NamedTuple of batch-first tensors: everything that a cell remembers from one step to the next.
State = Any


class Cell(nn.Module):
    """One time step of a recurrent network: no loop, no padding, no direction, no dropout between layers.

    A sequence is run by `saiki.network.unroll`, which calls `drawn` and `project` once for all valid steps, and then
    `step` and `output` once per time step. What is drawn once per sequence is drawn in `drawn`, what is drawn at every
    step in `project`.
    """

    #: units of the state
    width: int
    #: numbers per step that go up to the next layer
    output_width: int
    #: earlier inputs that `project` needs behind the present one in x, the latest first; `unroll` keeps them in the part
    #: `past` [batch, history · features] of the state, which `step` hands on as it is
    history: int = 0
    #: what `project` takes besides the input, of {"gap", "observed", "feedback"}
    needs: frozenset[str] = frozenset()

    def drawn(self, batch: int) -> Cell:
        """This cell for one unroll of `batch` rows, with what is random and the same at all steps drawn."""
        return self

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


class RecurrentCell(Cell):
    """A cell whose past meets a matrix, `weight_hh`, and what may act there; all of it is off unless asked for.

        layer_norm      LN(W_ih x) · g_ih + b_ih + LN(W_hh h) · g_hh + b_hh         also at evaluation
        zoneout         s_t = m_t ∘ s_{t-1} + (1 - m_t) ∘ s_t,  m_t ~ Bernoulli(zoneout);  at evaluation m_t is its mean
        state_dropout   W_hh (m ∘ h),  m drawn once per sequence and row
        weight_drop     (M ∘ W_hh) h,  M drawn once per sequence, for all rows

    Dropped units and weights are zero, the others are scaled up; only zoneout and layer norm act at evaluation.

    Source: layer norm: Ba et al. 2016 (arXiv 1607.06450), equations 20 to 22, over all gates at once; zoneout: Krueger
    et al. 2017 (arXiv 1606.01305), equations 4 and 5, one share for all parts of the state; state dropout: Gal and
    Ghahramani 2016 (arXiv 1512.05287), equation 7, one mask for all gates; weight drop: Merity et al. 2018 (arXiv
    1708.02182), section 2.
    """

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    _mask: Tensor | None = None

    def act_inside(
        self, layer_norm: bool = False, zoneout: float = 0.0, state_dropout: float = 0.0, weight_drop: float = 0.0
    ) -> None:
        """Store what acts inside; to be called once the cell's own weights are there."""
        check_shares(zoneout=zoneout, state_dropout=state_dropout, weight_drop=weight_drop)
        self.layer_norm, self.zoneout = layer_norm, zoneout
        self.state_dropout, self.weight_drop = state_dropout, weight_drop
        if layer_norm:
            self.gain_ih = nn.Parameter(torch.ones(self.weight_ih.shape[0]))
            self.gain_hh = nn.Parameter(torch.ones(self.weight_hh.shape[:-1]))

    @property
    def plain(self) -> bool:
        """Whether a step is nothing but the cell's equations, so that a kernel knows it."""
        return not self.layer_norm and not self.zoneout and self._mask is None

    def drawn(self, batch: int) -> Cell:
        if not self.training or not (self.weight_drop or self.state_dropout):
            return self
        weight = self.weight_hh
        cell = twin(self, weight_hh=weight * kept(weight, self.weight_drop) if self.weight_drop else weight)
        if self.state_dropout:
            cell._mask = kept(weight, self.state_dropout, batch, weight.shape[-1])
        return cell

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        return self.zoned(self.see(x))

    def see(self, x: Float[Tensor, "steps features"]) -> Float[Tensor, "steps gates"]:
        """The product of the input and its weight: W_ih x + b_ih."""
        bias = getattr(self, "bias_ih", None)
        if not self.layer_norm:
            return nn.functional.linear(x, self.weight_ih, bias)
        gates = norm(nn.functional.linear(x, self.weight_ih), self.gain_ih)
        return gates if bias is None else gates + bias

    def zoned(self, gates: Float[Tensor, "steps gates"]) -> Float[Tensor, "steps more"]:
        """Gates, and with zoneout the share of every unit that is kept, one column per unit of h (and of c)."""
        if not self.zoneout:
            return gates
        return torch.cat([gates, self.shares(len(gates)).expand(len(gates), -1)], 1)

    def shares(self, steps: int) -> Float[Tensor, "steps zones"]:
        """The shares of zoneout of every step, drawn; at evaluation one row for all."""
        share = self.weight_ih.new_full((steps if self.training else 1, self._zones), self.zoneout)
        return share.bernoulli() if self.training else share

    @property
    def _zones(self) -> int:
        """Columns of the mask of zoneout: the output, and the units where the state has more than it."""
        return self.output_width

    def recur(self, h: Float[Tensor, "batch width"], part: slice | int = slice(None)) -> Float[Tensor, "batch gates"]:
        """The product of the past and the recurrent weight, or of a part of its rows: W_hh h + b_hh."""
        if self._mask is not None:
            h = h * self._mask[: len(h)]
        bias = getattr(self, "bias_hh", None)
        bias = None if bias is None else bias[part]
        if not self.layer_norm:
            return nn.functional.linear(h, self.weight_hh[part], bias)
        product = norm(nn.functional.linear(h, self.weight_hh[part]), self.gain_hh[part])
        return product if bias is None else product + bias

    def advance(self, gates: Float[Tensor, "batch gates"], state: State) -> State:
        """The equations of the cell: the state after one more step."""
        raise NotImplementedError

    def step(self, gates: Float[Tensor, "batch gates"], state: State) -> State:
        """`advance`, and then zoneout."""
        if not self.zoneout:
            return self.advance(gates, state)
        zones = self._zones
        return self.hold(self.advance(gates[:, :-zones], state), state, gates[:, -zones:])

    def hold(self, new: State, old: State, share: Float[Tensor, "batch zones"]) -> State:
        """A state between two: `share` of the old one, unit by unit; the first part goes by the first columns."""
        shares = [share[:, : self.output_width], *[share[:, self.output_width :]] * (len(new) - 1)]
        return type(new)(*(n + s * (o - n) for n, o, s in zip(new, old, shares, strict=True)))


class GatedCell(RecurrentCell):
    """Weights and initialisation shared by the cells of `torch.nn`: names, shapes, gate order, U(±1/√width).

        gates_t = W_ih x_t + b_ih                    project
        recur(h) = W_hh h + b_hh                     the recurrent product

    `recur` is the one place where the previous state meets the weights; `inside` are the options of `RecurrentCell`.
    """

    #: blocks of `width` rows in the weights
    blocks: int
    #: first values that the recurrent weight may have
    inits: tuple[str, ...] = ("uniform", "orthogonal")

    def __init__(
        self,
        features: int,
        width: int,
        *,
        bias: bool = True,
        recurrent_init: str = "uniform",
        layer_norm: bool = False,
        zoneout: float = 0.0,
        state_dropout: float = 0.0,
        weight_drop: float = 0.0,
    ) -> None:
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
        self.act_inside(layer_norm, zoneout, state_dropout, weight_drop)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√width, as `torch.nn` does, gains 1; then the recurrent weight as asked for."""
        bound = 1 / math.sqrt(self.width) if self.width else 0.0
        for name, parameter in self.named_parameters():
            if name.startswith("gain"):
                nn.init.ones_(parameter)
            else:
                nn.init.uniform_(parameter, -bound, bound)
        if self.recurrent_init != "uniform":
            recurrent_(self.weight_hh, self.recurrent_init, self.blocks)

    def weight_names(self) -> tuple[str, ...]:
        """Names of the weights in the order that the kernels take them."""
        return "weight_ih", "weight_hh", "bias_ih", "bias_hh"

    def weights(self) -> tuple[Tensor | None, ...]:
        """The weights in that order; a bias may be absent."""
        return tuple(getattr(self, name) for name in self.weight_names())

    def using(self, weights: tuple[Tensor | None, ...]) -> Cell:
        """This cell with other weights, in that order, for one unroll."""
        return twin(self, **dict(zip(self.weight_names(), weights, strict=True)))

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

    def initial_state(self, batch: int) -> Any:
        return LinearState(self.weight_ih.new_zeros(batch, self.width))

    def step(self, gates: Float[Tensor, "batch gates"], state: State) -> State:
        decay, inflow = self.coefficients(gates)
        return state._replace(h=decay * state.h + inflow)

    def extra_repr(self) -> str:
        return f"{self.features}, {self.width}" + ("" if self.bias_ih is not None else ", bias=False")
