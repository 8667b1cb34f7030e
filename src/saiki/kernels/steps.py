"""Run a cell step by step in native code: its input is projected a chunk of time at a time, and so are its gradients.

    gates = W x of all steps, with layer norm and bias;   y_t, s_t = step(gates_t, s_{t-1})

A `Plan` says what a cell is to the native code: the product of its input and those inside a step with the layer norm behind them,
its vectors, shares of zoneout, the mask of state dropout, layers of a deep transition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saiki.cells._deep import Deep
from saiki.cells._inside import twin
from saiki.cells.base import Cell, RecurrentCell, State
from saiki.cells.cfc import CfC
from saiki.cells.gru_d import GRUD
from saiki.cells.sru import ALPHA
from saiki.kernels.autograd import EagerFunction, alias, alias_module, beyond_kernels, compact, held
from saiki.kernels.table import native, say_once
from saiki.shapes import Float, Int

#: rows of a tensor that a product takes; None: all
Rows = slice | int | None


@dataclass
class Product:
    """A product of the input or inside a step: places of weight, bias and gain among the plan's tensors, and the part it takes."""

    weight: int
    bias: int | None = None
    gain: int | None = None
    part: Rows = None
    shared: int = -1  # column of the gates whose gradient is that of the result too


@dataclass
class Plan:
    """A cell as the native code runs it, for one unroll."""

    kernel: str
    width: int  # units
    project: Callable[[Tensor], Tensor]  # the reference: x [steps, features] to gates, from the plan's tensors
    step: Callable[[Tensor, State], State]  # the reference, on those gates
    input: Product = field(default_factory=lambda: Product(0))
    outputs: int = 1  # parts of the state that go up
    tensors: list[Tensor] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    vectors: list[int | None] = field(default_factory=list)
    zones: Tensor | None = None
    mask: Tensor | None = None
    coupled: bool = False
    relu: bool = False
    before: bool = False
    transitions: int = 0
    highway: bool = False  # x goes up itself
    cell: Cell | None = None

    def keep(self, tensor: Tensor | None, size: int | None = None) -> int | None:
        """The place of a tensor among those with a gradient; of a vector that many numbers, as those of one are for all units."""
        if tensor is None:
            return None
        if size is not None and tensor.shape != (size,):
            tensor = tensor.expand(size)  # or an error: the native code reads as many
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def about(self, x: Tensor, state: Sequence[Tensor], tensors: Sequence[Tensor], counts: Tensor, reverse: bool):
        """What the native code takes, forward and backward."""

        def of(place: int | None, part: Rows = None) -> Tensor | None:
            return None if place is None else compact(_part(tensors[place], part))

        def matrix(p: Product) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
            return of(p.weight, p.part), of(p.bias, p.part), of(p.gain, p.part)

        products = tuple((*matrix(p), p.shared) for p in self.products)
        vectors = tuple(of(v) for v in self.vectors)
        how = self.coupled, self.relu, self.before, self.transitions, self.highway
        return (
            x, matrix(self.input), tuple(compact(s) for s in state), products, vectors, self.zones, self.mask, counts,
            reverse, how, self.width,
        )  # fmt: skip


class OnGates(Cell):
    """The reference of a plan: a cell whose input is the gates, for gradients of gradients."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.step, self.outputs, self.zones = plan.step, plan.outputs, plan.zones

    def project(self, x: Float[Tensor, "steps gates"], **given: Tensor) -> Float[Tensor, "steps more"]:
        return x if self.zones is None else torch.cat([x, self.zones.expand(len(x), -1)], 1)

    def output(self, gates: Float[Tensor, "batch gates"], state: State) -> Tensor:
        return torch.cat(state[: self.outputs], 1)


def unroll_steps(
    cell: Cell,
    x: Float[Tensor, "steps features"],
    counts: Int[Tensor, "time"],
    state: State,
    reverse: bool,
    reference: Callable[..., tuple[Tensor, State]],
    **given: Tensor,
) -> tuple[Float[Tensor, "steps output_width"], State]:
    """Outputs of every step and the final state of a cell that has a plan.

    Args:
        reference: `(cell, x, counts, state, reverse) -> (y, final)`: for gradients of gradients, and where no row has a step.
        given: what `cell.needs` beside x.
    """
    if not len(x):
        return reference(cell, x, counts, state, reverse, **given)
    after = None
    if isinstance(cell, GRUD | CfC):  # all but h is known before the first step
        x, after = cell.read(x, counts, state, reverse, **given)
        state = _Hidden(state.h)
    plan = plan_of(cell, len(x))
    x = compact(x)
    tensors = (x, *state, *plan.tensors)
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    if keep:
        plan.cell = held(cell)
    y, *final = _Steps.apply(plan, counts, reverse, reference, keep, type(state), len(state), *tensors)
    found = type(state)(*final)
    return finish(cell, x, y), found if after is None else after._replace(h=found.h)


class _Hidden(NamedTuple):
    h: Tensor  # [batch, width]


class _Steps(EagerFunction):
    @staticmethod
    def forward(ctx: Any, plan: Plan, counts, reverse, reference, keep, kind, states, x, *tensors):
        state, weights = tensors[:states], tensors[states:]
        about = plan.about(x, state, weights, counts, reverse)
        y = x.new_empty(len(x), sum(s.shape[1] for s in state[: plan.outputs]))
        final = tuple(torch.empty_like(s) for s in about[2])
        saved, sees, entered = None, False, ()
        if keep:
            numbers, sees = native.steps_saved(plan.kernel, about)
            saved = x.new_empty(len(x), numbers)
            entered = tuple(x.new_empty(len(x), p[0].shape[1]) for p in about[3])
        native.steps_forward(plan.kernel, about, y, final, saved, entered, torch.get_num_threads())
        ctx.how = plan, reverse, reference, kind, states, len(entered), about
        ctx.save_for_backward(x, counts, y if sees else None, saved, *entered, *tensors)
        ctx.set_materialize_grads(False)
        return y, *final

    @staticmethod
    def backward(ctx: Any, dy, *dfinal):
        plan, reverse, reference, kind, states, products, about = ctx.how
        x, counts, y, saved, *rest = ctx.saved_tensors
        entered, tensors = rest[:products], rest[products:]
        none = (None,) * 7
        if dy is None and all(d is None for d in dfinal):
            return *none, None, *(None for _ in tensors)
        if beyond_kernels((dy, *dfinal)):
            return *none, *_differentiable(plan, x, kind(*tensors[:states]), counts, reverse, reference, dy, dfinal)
        weights = tensors[states:]
        dx = torch.empty_like(x) if ctx.needs_input_grad[7] else None
        dstate = tuple(torch.empty_like(s) for s in about[2])
        dweights = [torch.empty_like(w, memory_format=torch.contiguous_format) for w in weights]
        into = tuple(_into(p, dweights) for p in plan.products)
        dvectors = tuple(None if v is None else dweights[v] for v in plan.vectors)
        dfinal = tuple(None if d is None else compact(d) for d in dfinal)
        dy = None if dy is None else compact(dy)
        native.steps_backward(
            plan.kernel, about, y, saved, tuple(entered), dy, dfinal, (dx, *_into(plan.input, dweights)), dstate, into, dvectors,
            torch.get_num_threads(),
        )  # fmt: skip
        return *none, dx, *dstate, *dweights


def _into(p: Product, dweights: list[Tensor]) -> tuple[Tensor | None, ...]:
    """Where the native code writes the gradients of a product's weight, bias and gain."""
    return tuple([None if place is None else _part(dweights[place], p.part) for place in (p.weight, p.bias, p.gain)])


def _part(tensor: Tensor, rows: Rows) -> Tensor:
    return tensor if rows is None else tensor[rows]


@torch.enable_grad()
def _differentiable(plan: Plan, x, state, counts, reverse, reference, dy, dfinal) -> list[Tensor | None]:
    """Gradients that can be differentiated again (create_graph=True): the reference computes them, the kernel cannot."""
    say_once("create_graph=True: gradients come from the reference, not from the kernel")
    # one input may be made of another: see `alias`
    zones, plan = plan.zones, plan_of(alias_module(plan.cell), 0)
    plan.zones = zones
    x, state = alias(x), type(state)(*map(alias, state))
    y, final = reference(OnGates(plan), plan.project(x), counts, state, reverse)
    pairs = [(o, g) for o, g in zip((y, *final), (dy, *dfinal), strict=True) if g is not None and o.requires_grad]
    inputs = [x, *state, *plan.tensors]
    wanted = [t for t in inputs if t.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    found = iter(
        torch.autograd.grad([o for o, _ in pairs], wanted, [g for _, g in pairs], create_graph=True, allow_unused=True)
    )
    return [next(found) if t.requires_grad else None for t in inputs]


def _product(plan: Plan, weight: Tensor, bias: Tensor | None, gain: Tensor | None = None, shared: int = -1) -> Product:
    return Product(*(plan.keep(t) for t in (weight, bias, gain)), shared=shared)


def _recurrent(cell: Any, step: Callable[..., State], parts: Sequence[tuple[Rows, int]], **how: Any) -> Plan:
    """The plan of a cell with a recurrent matrix, in parts: (rows of it, column of the gates that they share)."""
    plan = Plan(type(cell).__module__.rpartition(".")[2], cell.width, cell.see, step, **how)
    bias = getattr(cell, "bias_ih", None)
    plan.input = _product(plan, cell.weight_ih, bias, cell.gain_ih if cell.layer_norm else None)
    whole = _product(plan, cell.weight_hh, cell.bias_hh, cell.gain_hh if cell.layer_norm else None)
    plan.products = [replace(whole, part=part, shared=shared) for part, shared in parts]
    plan.mask = cell._mask
    return plan


def _lstm(cell: Any, step: Any) -> Plan:
    plan = _recurrent(cell, step, [(None, 0)], coupled=cell.coupled)
    if cell.weight_hr is not None:
        plan.products.append(_product(plan, cell.weight_hr, None))
    norm = (cell.gain_c, cell.shift_c) if cell.layer_norm else (None, None)
    gates = (cell.blocks - 1) * cell.width
    plan.vectors = [plan.keep(cell.weight_c, gates), *(plan.keep(t, cell.width) for t in norm)]
    return plan


def _gru(cell: Any, step: Any) -> Plan:
    if cell.reset == "after":
        return _recurrent(cell, step, [(None, -1)])
    gates = 2 * cell.width
    return _recurrent(cell, step, [(slice(0, gates), 0), (slice(gates, None), gates)], before=True)


def _gru_d(cell: GRUD, _: Any) -> Plan:
    """The gates of the GRU see x̂ and m, what the decay is made of sees δ (`GRUD.read`). The kernel's z is the share that is kept,
    as in `torch.nn`, which is 1 - z here: its pre-activation has the other sign."""
    seen, width = 2 * cell.features, cell.width
    sign = cell.weight_ih.new_ones(3 * width, 1)
    sign[width : 2 * width] = -1
    empty = sign.new_zeros
    weight = torch.cat([
        torch.cat([sign * cell.weight_ih, empty(3 * width, cell.features)], 1),
        torch.cat([empty(width, seen), cell.weight_decay_h], 1),
    ])  # fmt: skip
    bias = torch.cat([sign[:, 0] * cell.bias_ih, cell.bias_decay_h])
    recurrent = sign * cell.weight_hh
    same: Any = twin(cell, weight_hh=sign * recurrent)  # a function of the plan's tensor, whose gradient is asked for

    def step(gates: Tensor, state: Any) -> State:
        seen, decay, zones = gates.split([3 * width, width, gates.shape[1] - 4 * width], 1)
        return _held(cell, state, same.follow(sign[:, 0] * seen, decay, state.h), zones)

    plan = Plan("gru_d", width, lambda x: torch.nn.functional.linear(x, weight, bias), step)
    plan.input = _product(plan, weight, bias)
    whole = _product(plan, recurrent, None)
    parts = (slice(0, 2 * width), 0), (slice(2 * width, None), 2 * width)
    plan.products = [replace(whole, part=part, shared=shared) for part, shared in parts]
    plan.mask = cell._mask
    return plan


def _cfc(cell: CfC, _: Any) -> Plan:
    """The gates are what the backbone sees of x, and the gap, which is the last input."""
    width, none = cell.width, cell.weight_ih.new_zeros
    passed_on = torch.cat([none(1, cell.features), none(1, 1) + 1], 1)
    weight = torch.cat([torch.cat([cell.weight_ih, none(width, 1)], 1), passed_on])
    bias = torch.cat([cell.bias_ih, none(1)])

    def step(gates: Tensor, state: Any) -> State:
        seen, gap, zones = gates.split([width, 1, gates.shape[1] - width - 1], 1)
        return _held(cell, state, cell.follow(seen, gap, state.h), zones)

    plan = Plan("cfc", width, lambda x: torch.nn.functional.linear(x, weight, bias), step)
    plan.input = _product(plan, weight, bias)
    plan.products = [_product(plan, cell.weight_hh, None, shared=0), _product(plan, cell.weight_u, cell.bias_u)]
    plan.mask = cell._mask
    return plan


def _held(cell: RecurrentCell, state: Any, h: Tensor, zones: Tensor) -> State:
    """h, or with zoneout what lies between it and the one before."""
    return type(state)(h + zones * (state.h - h) if cell.zoneout else h)


def _indrnn(cell: Any, step: Any) -> Plan:
    plan = Plan("indrnn", cell.width, cell.project, step, relu=cell.nonlinearity == "relu")
    plan.input = _product(plan, cell.weight_ih, cell.bias)
    plan.vectors = [plan.keep(cell.weight_hh, cell.width)]
    return plan


def _mingru(cell: Any, step: Any) -> Plan:
    plan = Plan("mingru", cell.width, cell.project, step)
    plan.input = _product(plan, cell.weight_ih, cell.bias_ih)
    return plan


def _sru(cell: Any, step: Any) -> Plan:
    """The gates f and r have a bias; where input and state are equally wide, the kernel takes the highway from x itself."""
    highway = cell.blocks == 3
    nothing = cell.bias.new_zeros(cell.width)
    bias = torch.cat([nothing, cell.bias] if highway else [nothing, cell.bias, nothing])

    def project(x: Tensor) -> Tensor:
        gates = torch.nn.functional.linear(x, cell.weight_ih, bias)
        return torch.cat([gates, ALPHA * x], 1) if highway else gates

    plan = Plan("sru", cell.width, project, step, highway=highway)
    plan.input = _product(plan, cell.weight_ih, bias)
    plan.vectors = [plan.keep(cell.weight_hh, 2 * cell.width)]
    return plan


def _lru(cell: Any, _: Any) -> Plan:
    """The state turns by two vectors; its projection out is left to `finish`, so that the gates are the inflow alone."""
    radius, phase = torch.exp(-cell.nu_log.exp()), cell.theta_log.exp()
    cosine, sine = radius * phase.cos(), radius * phase.sin()

    scale = cell.gamma_log.exp()[:, None]
    weight = torch.cat([cell.B_re * scale, cell.B_im * scale])

    def step(gates: Tensor, state: Any) -> State:
        real, imaginary = state
        inflow, inflow_imaginary = gates.chunk(2, 1)
        return type(state)(
            cosine * real - sine * imaginary + inflow, cosine * imaginary + sine * real + inflow_imaginary
        )

    plan = Plan("lru", cell.width, lambda x: torch.nn.functional.linear(x, weight), step, outputs=2)
    plan.input = _product(plan, weight, None)
    plan.vectors = [plan.keep(cosine, cell.width), plan.keep(sine, cell.width)]
    return plan


_PLANS: dict[str, Callable[[Any, Any], Plan]] = {
    "elman": lambda cell, step: _recurrent(cell, step, [(None, 0)], relu=cell.nonlinearity == "relu"),
    "gru": _gru,
    "lstm": _lstm,
    "slstm": lambda cell, step: _recurrent(cell, step, [(None, 0)]),
    "rhn": lambda cell, step: _recurrent(cell, step, [(layer, -1 if layer else 0) for layer in range(cell.depth)]),
    "indrnn": _indrnn,
    "sru": _sru,
    "lru": _lru,
    "mingru": _mingru,
    "gru_d": _gru_d,
    "cfc": _cfc,
}


def plan_of(cell: Cell, steps: int) -> Plan:
    """The plan of a cell that has one, with what is random at every one of `steps` steps drawn."""
    inner: Any = cell.cell if isinstance(cell, Deep) else cell
    plan = _PLANS[type(inner).__module__.rpartition(".")[2]](inner, cell.step)
    plan.cell = cell
    if isinstance(inner, RecurrentCell) and inner.zoneout:
        plan.zones = inner.shares(steps)
    if isinstance(cell, Deep):
        plan.transitions = len(cell.transition)
        for layer in cell.transition:
            assert isinstance(layer, torch.nn.Linear)  # see `find`
            plan.products.append(_product(plan, layer.weight, layer.bias))
    return plan


def finish(cell: Cell, x: Float[Tensor, "steps features"], y: Float[Tensor, "steps states"]) -> Tensor:
    """What goes up, from the parts of the state that do."""
    if isinstance(cell, Deep):
        return cell.up(finish(cell.cell, x, y))
    if type(cell).__module__.endswith(".lru"):
        turned: Any = cell
        seen = torch.nn.functional.linear(x, turned.D)
        return seen.addmm_(y, torch.cat([turned.C_re, -turned.C_im], 1).t())
    return y
