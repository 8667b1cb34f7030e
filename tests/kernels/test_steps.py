"""Cells step by step in native code: every option against the reference loop, forward and backward."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from saiki import kernels
from saiki.cells import make_cell
from saiki.kernels import steps
from saiki.network.unroll import unroll, unroll_reference

INSIDE = {"layer_norm": True, "zoneout": 0.3, "state_dropout": 0.4, "weight_drop": 0.2}
#: (cell, options): each option alone, and all at once
CELLS = [
    *((cell, {option: value}) for cell in ("elman", "gru", "lstm", "slstm", "rhn") for option, value in INSIDE.items()),
    *((cell, {**INSIDE, "transition": 2, "deep_output": 1}) for cell in ("elman", "gru", "lstm", "slstm", "rhn")),
    ("elman", {"nonlinearity": "relu", "layer_norm": True}),
    ("elman", {"transition": 1}),
    ("gru", {"reset": "before"}),
    ("gru", {"reset": "before", **INSIDE}),
    ("lstm", {"peephole": True}),
    ("lstm", {"coupled": True}),
    ("lstm", {"peephole": True, "coupled": True}),
    ("lstm", {"projection": 5}),
    ("lstm", {"projection": 5, "peephole": True, "transition": 1, **INSIDE}),
    ("lstm", {"projection": 5, "coupled": True, "bias": False, **INSIDE}),
    ("slstm", {}),
    ("rhn", {"depth": 1}),
    ("rhn", {"depth": 3}),
    ("indrnn", {}),
    ("indrnn", {"nonlinearity": "tanh", "transition": 1}),
    ("sru", {}),
    ("lru", {}),
    ("lru", {"deep_output": 1}),
    ("mingru", {}),
    ("mingru", {"transition": 1}),
]
LENGTHS = [9, 9, 6, 3, 1, 0, 0]
FEATURES = 11


def name_of(case) -> str:
    return "-".join([case[0], *(f"{option}={value}" for option, value in case[1].items())])


def problem(case, lengths=LENGTHS, width=11, dtype=torch.float64, seed=0):
    """A cell with weights that are not the first ones, packed steps, counts, an initial state, gradients into the outputs."""
    generator = torch.Generator().manual_seed(seed)
    name, options = case
    cell = make_cell(name, FEATURES, width, **options).to(dtype)
    for weight in cell.parameters():
        weight.data += 0.1 * torch.randn(weight.shape, generator=generator, dtype=torch.float64).to(dtype)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    counts = (torch.arange(max(lengths))[:, None] < torch.tensor(lengths)).sum(1)
    x = draw(sum(lengths), FEATURES).requires_grad_()
    state = type(zero := cell.initial_state(len(lengths)))(*(draw(*part.shape) for part in zero))
    if "n" in state._fields:
        state.n.abs_().add_(1)  # a normaliser is positive
    for part in state:
        part.requires_grad_()
    into = [draw(sum(lengths), cell.output_width), *(draw(*part.shape) for part in zero)]
    return cell, x, counts, state, into


def by_kernel(cell, x, counts, state, reverse):
    """The kernel that the table finds; there must be one."""
    found = kernels.find(cell, x, state)
    assert isinstance(found, kernels.Row), found
    return kernels.run(found, cell, x, counts, state, reverse, unroll_reference)


def answers(how, cell, x, counts, state, into, reverse=False, seed=0) -> list[Tensor]:
    """Outputs, final states, and every gradient, with the masks of that seed."""
    torch.manual_seed(seed)
    outputs = [*(result := how(cell.drawn(len(state[0])), x, counts, state, reverse))[:1], *result[1]]
    return outputs + list(torch.autograd.grad(outputs, [x, *state, *cell.parameters()], into, allow_unused=True))


def assert_close(got: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for i, (g, e) in enumerate(zip(got, expected, strict=True)):
        g, e = (torch.zeros(1) if t is None else t for t in (g, e))
        error = ((g - e).abs().max() / e.abs().max().clamp(min=1)).item()
        assert error <= tolerance, f"tensor {i}: {error}"


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("case", CELLS, ids=name_of)
def test_a_kernel_gives_the_answers_of_the_reference(case, training, nan_filled):
    for width, reverse, threads in ((11, False, 2), (16, True, 3)):
        cell, x, counts, state, into = problem(case, width=width)
        cell.train(training)
        torch.set_num_threads(threads)
        runs = [answers(how, cell, x, counts, state, into, reverse) for how in (by_kernel, unroll_reference)]
        assert_close(*runs, tolerance=1e-10)


def _without(name):
    return lambda plan: setattr(plan, name, None)


def _louder(plan):
    plan.tensors[plan.vectors[0]] = plan.tensors[plan.vectors[0]] * 1.01


def _turned(plan):
    place = plan.input.weight
    plan.tensors[place] = plan.tensors[place].roll(plan.width, 0)


def _layers_exchanged(plan):
    first, second = plan.products
    first.part, second.part = second.part, first.part


SABOTAGE = [
    ("elman", {"zoneout": 0.3}, _without("zones")),
    ("gru", {"state_dropout": 0.4}, _without("mask")),
    ("gru", {"reset": "before"}, _turned),
    ("lstm", {"peephole": True}, _louder),
    ("slstm", {}, _turned),
    ("rhn", {"depth": 2}, _layers_exchanged),
    ("indrnn", {}, _louder),
    ("sru", {}, _louder),
    ("lru", {}, _louder),
    ("mingru", {}, _turned),
]


@pytest.mark.parametrize(("cell", "options", "sabotage"), SABOTAGE, ids=[name_of(case) for case in SABOTAGE])
def test_a_broken_kernel_is_found(cell, options, sabotage, monkeypatch):
    from saiki.kernels import steps

    made = problem((cell, options))
    good, plan_of = answers(unroll_reference, *made), steps.plan_of

    def broken(*given):
        plan = plan_of(*given)
        sabotage(plan)
        return plan

    monkeypatch.setattr(steps, "plan_of", broken)
    cell, x, counts, state, _ = made
    torch.manual_seed(0)
    y, final = by_kernel(cell.drawn(len(LENGTHS)), x, counts, state, False)
    with pytest.raises(AssertionError):
        assert_close([y, *final], good[: 1 + len(final)], tolerance=1e-10)


@pytest.mark.parametrize("case", [("gru", {"zoneout": 0.3, "layer_norm": True}), ("lru", {}), ("sru", {})], ids=name_of)
def test_gradients_of_gradients_are_those_of_the_reference(case):
    cell, x, counts, state, _ = problem(case, lengths=[3, 2, 0], width=5)
    found = []
    for how in (by_kernel, unroll_reference):
        torch.manual_seed(0)
        y, _ = how(cell, x, counts, state, False)
        (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        found.append([first, *torch.autograd.grad(first.square().sum(), [x, *cell.parameters()])])
    assert_close(*found, tolerance=1e-10)


@pytest.mark.parametrize("case", [("gru", {}), ("slstm", {}), ("sru", {}), ("lstm", {"transition": 1})], ids=name_of)
def test_gradients_of_a_carried_state_count_every_way_once(case):
    """What is made of an earlier output of the same cell: gradients that can be differentiated again are those that cannot."""
    cell, x, counts, state, _ = problem(case, lengths=[3, 2, 1], width=5)
    y, between = unroll(cell, x, counts, state)
    y, _ = unroll(cell, x + y.mean(), counts, between)
    given = [x, *cell.parameters()]
    plain = torch.autograd.grad(y.square().sum(), given, retain_graph=True)
    assert_close(torch.autograd.grad(y.square().sum(), given, create_graph=True), plain, tolerance=1e-10)


def test_nothing_is_kept_for_inference(monkeypatch):
    kept = []
    real = steps.native.steps_forward
    monkeypatch.setattr(steps, "native", SimpleNamespace(**{n: getattr(steps.native, n) for n in dir(steps.native)}))
    monkeypatch.setattr(steps.native, "steps_forward", lambda *given: (kept.append(given[4]), real(*given))[1])
    cell, x, counts, state, _ = problem(("slstm", {}), lengths=[3, 2], width=5)
    unroll(cell, x, counts, state)
    with torch.no_grad():
        unroll(cell, x, counts, state)
    assert [numbers is None for numbers in kept] == [False, True]


def test_more_products_than_the_kernel_knows_are_left_to_the_loop():
    for cell, options in (("rhn", {"depth": 33}), ("gru", {"transition": 32})):
        made = make_cell(cell, 3, 4, **options)
        x, counts, state = torch.randn(5, 3), torch.tensor([2, 2, 1]), made.initial_state(2)
        assert "products" in kernels.find(made, x, state)
        torch.testing.assert_close(unroll(made, x, counts, state)[0], unroll_reference(made, x, counts, state)[0])
    for cell, options in (("rhn", {"depth": 32}), ("gru", {"transition": 30})):  # as many as it knows
        made = make_cell(cell, 3, 4, **options)
        x, counts, state = torch.randn(5, 3), torch.tensor([2, 2, 1]), made.initial_state(2)
        assert isinstance(kernels.find(made, x, state), kernels.Row)
        torch.testing.assert_close(unroll(made, x, counts, state)[0], unroll_reference(made, x, counts, state)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        *((cell, {"layer_norm": True, "zoneout": 0.3}) for cell in ("elman", "gru", "lstm", "slstm")),
        *((cell, {}) for cell in ("slstm", "indrnn", "lru", "mingru")),
    ],
    ids=name_of,
)
def test_float32_is_as_close_to_float64_as_the_reference(case):
    sums: dict[int, list[float]] = {}
    for seed in range(100):
        exact = problem(case, [12, 9, 2], 11, torch.float64, seed)
        single = problem(case, [12, 9, 2], 11, torch.float32, seed)
        wide, narrow = ([x, *state, *into, *cell.parameters()] for cell, x, _, state, into in (exact, single))
        for to, value in zip(wide, narrow, strict=True):
            to.data.copy_(value.data)  # the same numbers: float64 starts from the rounded ones
        for made in (exact, single):
            made[0].eval()  # masks are drawn in each dtype
        truth = answers(unroll_reference, *exact)
        runs = [answers(how, *single) for how in (by_kernel, unroll_reference)]
        for i, (t, g, r) in enumerate(zip(truth, *runs, strict=True)):
            if t is None:
                continue
            slack = (2 * torch.finfo(torch.float32).eps * t.abs().max().item()) ** 2
            squares = [(v.double() - t).square().mean().item() for v in (g, r)]
            sums[i] = [a + b for a, b in zip(sums.get(i, [0.0] * 3), [*squares, slack], strict=True)]
    for i, (ours, theirs, slack) in sums.items():
        assert ours**0.5 <= 2 * theirs**0.5 + slack**0.5, f"tensor {i}"
