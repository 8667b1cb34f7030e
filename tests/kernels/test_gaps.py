"""GRU-D and CfC, which are told of gaps: what is read of all steps at once, and the kernel of what follows, against the loop."""

from __future__ import annotations

import pytest
import torch

from saiki import kernels
from saiki.cells import make_cell
from saiki.kernels import steps
from saiki.network.unroll import _unrolled, unroll, unroll_reference

LENGTHS = [9, 9, 6, 3, 1, 0, 0]
FEATURES = 5
NAMES = ("gru_d", "cfc")
OPTIONS = [
    {},
    {"zoneout": 0.3},
    {"state_dropout": 0.4},
    {"weight_drop": 0.2, "zoneout": 0.1},
]


def problem(name, options, width=11, dtype=torch.float64, lengths=LENGTHS):
    generator = torch.Generator().manual_seed(0)
    cell = make_cell(name, FEATURES, width, **options).to(dtype)
    for weight in cell.parameters():
        weight.data += 0.3 * torch.randn(weight.shape, generator=generator)
    counts = (torch.arange(max(lengths))[:, None] < torch.tensor(lengths)).sum(1)
    observed = (torch.rand(sum(lengths), FEATURES, generator=generator) < 0.4).to(dtype)
    gap = torch.rand(sum(lengths), 1, generator=generator, dtype=dtype)
    x = torch.randn(sum(lengths), FEATURES, generator=generator, dtype=dtype)
    given = {"observed": observed, "gap": gap.requires_grad_()}
    x = torch.where(observed == 0, torch.nan if name == "gru_d" else 0, x).requires_grad_()
    zero = cell.initial_state(len(lengths))
    drawn = (torch.randn(part.shape, generator=generator, dtype=dtype).abs().requires_grad_() for part in zero)
    return cell, x, counts, type(zero)(*drawn), {need: given[need] for need in cell.needs}


def answers(how, cell, x, counts, state, given, reverse):
    torch.manual_seed(0)
    y, final = how(cell.drawn(len(state.h)), x, counts, state, reverse, **given)
    outputs, generator = [y, *final], torch.Generator().manual_seed(1)
    into = [torch.randn(part.shape, generator=generator, dtype=part.dtype) for part in outputs]
    wanted = [x, given["gap"], *state, *cell.parameters()]
    return outputs + list(torch.autograd.grad(outputs, wanted, into))


def by_kernel(cell, x, counts, state, reverse, **given):
    found = kernels.find(cell, x, state)
    assert isinstance(found, kernels.Row), found
    return _unrolled(cell, x, counts, state, reverse, **given)  # its masks are drawn


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_gives_the_answers_of_the_reference(name, options, training, nan_filled):
    for width, reverse, threads in ((11, False, 2), (16, True, 3)):
        cell, *made = problem(name, options, width)
        cell.train(training)
        torch.set_num_threads(threads)
        got, expected = (answers(how, cell, *made, reverse) for how in (by_kernel, unroll_reference))
        for g, e in zip(got, expected, strict=True):
            torch.testing.assert_close(g, e, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("lengths", [[1], [0, 0], [4, 4]], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_short_batches(name, lengths):
    cell, *made = problem(name, {}, lengths=lengths)
    for g, e in zip(*(answers(how, cell, *made, False) for how in (unroll, unroll_reference)), strict=True):
        torch.testing.assert_close(g, e)


@pytest.mark.parametrize("name", NAMES)
def test_carried_state_goes_on_where_it_was(name):
    cell, x, counts, state, given = problem(name, {}, lengths=[6, 6])
    whole, final = unroll(cell, x, counts, state, **given)
    first, between = unroll(cell, x[:6], counts[:3], state, **{name: v[:6] for name, v in given.items()})
    second, after = unroll(cell, x[6:], counts[3:], between, **{name: v[6:] for name, v in given.items()})
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for a, b in zip(after, final, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_gradients_are_those_of_the_reference(name):
    cell, x, counts, state, given = problem(name, {"zoneout": 0.2}, width=4, lengths=[3, 2, 0])
    found = []
    for how in (by_kernel, unroll_reference):
        torch.manual_seed(0)
        y, _ = how(cell, x, counts, state, False, **given)
        (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        found.append([first, *torch.autograd.grad(first.square().sum(), list(cell.parameters()))])
    for g, e in zip(*found, strict=True):
        torch.testing.assert_close(g, e, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_kernel_is_found(name, monkeypatch):
    cell, x, counts, state, given = problem(name, {})
    expected, _ = unroll_reference(cell, x, counts, state, **given)
    plan_of = steps.plan_of

    def broken(*asked):
        plan = plan_of(*asked)
        plan.tensors[plan.input.weight] = plan.tensors[plan.input.weight].roll(1, 0)
        return plan

    monkeypatch.setattr(steps, "plan_of", broken)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(by_kernel(cell, x, counts, state, False, **given)[0], expected)


@pytest.mark.parametrize("name", NAMES)
def test_layer_norm_and_layers_inside_a_step_are_left_to_the_loop(name):
    for options in ({"layer_norm": True}, {"transition": 1}):
        cell, x, counts, state, given = problem(name, options)
        assert name in kernels.find(cell, x, state)
        assert unroll(cell, x, counts, state, **given)[0].isfinite().all()
