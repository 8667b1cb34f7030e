"""The fused linear recurrence against its plain loop."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saiki.kernels.scan import scan


def loop(decay, inflow, initial, counts, reverse):
    """y_t = decay_t y_{t-1} + inflow_t, step by step over packed rows."""
    rows = counts.tolist()
    decays, inflows = decay.split(rows), inflow.split(rows)
    outputs, state = [None] * len(rows), initial
    for t in reversed(range(len(rows))) if reverse else range(len(rows)):
        outputs[t] = decays[t] * state[: rows[t]] + inflows[t]
        state = torch.cat([outputs[t], state[rows[t] :]])
    return torch.cat(outputs), state


def draw(lengths, width, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counts = (torch.arange(max(lengths))[:, None] < torch.tensor(lengths)).sum(1)
    shapes = [(sum(lengths), width), (sum(lengths), width), (len(lengths), width)]
    decay, inflow, initial = (torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes)
    return [torch.sigmoid(decay).requires_grad_(), inflow.requires_grad_(), initial.requires_grad_()], counts


def assert_equal(got, expected):
    """To rounding in float64: both ways add and multiply the same few numbers per step."""
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def assert_is_the_loop(inputs, counts, reverse):
    """Values and all gradients are those of the loop."""
    got, expected = scan(*inputs, counts, reverse), loop(*inputs, counts, reverse)
    into = [torch.randn_like(part) for part in expected]
    got = [*got, *torch.autograd.grad(got, inputs, into)]
    expected = [*expected, *torch.autograd.grad(expected, inputs, into)]
    assert_equal(got, expected)


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=20).filter(any),
    width=st.integers(1, 300),
    reverse=st.booleans(),
    threads=st.integers(1, 3),
)
def test_scan_is_the_loop(lengths, width, reverse, threads):
    torch.set_num_threads(threads)
    inputs, counts = draw(sorted(lengths, reverse=True), width)
    assert_is_the_loop(inputs, counts, reverse)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("reverse", [False, True])
def test_lanes_keep_to_their_columns(reverse, threads):
    """Long enough for every thread to have a part; rows that end leave some lanes without work.

    A race that the machine happens to win passes here: the thread sanitizer, which runs scans of several lanes too, finds it.
    """
    torch.set_num_threads(threads)
    inputs, counts = draw([90, 90, 70, 40, 12, 11, 3, 1, 0], 150)
    assert_is_the_loop(inputs, counts, reverse)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradcheck(reverse):
    inputs, counts = draw([4, 3, 1, 0], 3)
    assert torch.autograd.gradcheck(lambda *given: scan(*given, counts, reverse), inputs)


def test_ten_thousand_steps_in_float32():
    """No error builds up: the scan in float32 stays within rounding of the loop in float64."""
    inputs, counts = draw([10_000, 9_000], 40, torch.float32)
    y, final = scan(*inputs, counts)
    exact, _ = loop(*(part.detach().double() for part in inputs), counts, False)
    assert (y - exact).abs().max() <= 1e-6 * exact.abs().max() * 4
    assert torch.equal(final[0], y[-1])


@pytest.mark.parametrize("chosen", [0, 1])
def test_each_gradient_may_be_absent(chosen):
    inputs, counts = draw([5, 5, 2], 7)
    alone = torch.autograd.grad(scan(*inputs, counts)[chosen].sum(), inputs)
    expected = torch.autograd.grad(loop(*inputs, counts, False)[chosen].sum(), inputs)
    for one, other in zip(alone, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_gradients_are_those_of_the_loop(reverse):
    inputs, counts = draw([3, 2, 0], 4)
    answers = []
    for how in (scan, loop):
        first = torch.autograd.grad(how(*inputs, counts, reverse)[0].square().sum(), inputs, create_graph=True)
        answers.append([*first, *torch.autograd.grad(sum(part.square().sum() for part in first), inputs)])
    assert_equal(*answers)
