"""The kernels against torch.nn: outputs, final states and gradients, at sizes chosen to be awkward."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

KERNELS = ("elman_tanh", "elman_relu", "lstm", "gru")
RAGGED = [9, 9, 9, 9, 5, 5, 4, 3, 3, 3, 2, 2, 1, 1, 1, 0, 0]
SIZES = {
    "one of everything": ([1], 1, 1),
    "three steps": ([3], 3, 5),
    "63 steps": ([63] * 8, 3, 64),
    "width 500": ([4] * 3, 7, 500),
    "wide stream": ([30], 64, 256),
    "many rows": ([5] * 67, 33, 48),
    "ragged": (RAGGED, 33, 50),
    "several chunks": ([300, 300, 250, 120, 7, 1, 0], 20, 96),
    "only one row lives": ([40] + [1] * 9, 3, 65),
}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_float64_is_torch(problem, nan_filled, kernel, size, reverse, threads):
    torch.set_num_threads(threads)
    problem(kernel, *SIZES[size], reverse=reverse).assert_equal(1e-10)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_float32_is_torch(problem, nan_filled, kernel, size):
    problem(kernel, *SIZES[size], dtype=torch.float32).assert_equal(2e-5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_without_biases(problem, nan_filled, kernel, reverse):
    problem(kernel, RAGGED, 5, 19, bias=False, reverse=reverse).assert_equal(1e-10)


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.sampled_from(KERNELS),
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=20).filter(any),
    features=st.integers(1, 40),
    width=st.integers(1, 80),
    reverse=st.booleans(),
    threads=st.integers(1, 3),
)
def test_any_shape(problem, kernel, lengths, features, width, reverse, threads):
    torch.set_num_threads(threads)
    problem(kernel, sorted(lengths, reverse=True), features, width, reverse=reverse).assert_equal(1e-10)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradcheck(problem, kernel, reverse):
    case = problem(kernel, [4, 3, 1, 0], 3, 5, reverse=reverse)

    def run(*inputs):
        case.x, case.state, case.weights = inputs[0], inputs[1 : 1 + len(case.state)], inputs[1 + len(case.state) :]
        return tuple(case.kernel_outputs())

    assert torch.autograd.gradcheck(run, case.inputs)


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_gradient_may_be_absent(problem, kernel):
    """A loss on one output alone gives what it gives with zeros for the others; an input that needs no gradient gets none."""
    case = problem(kernel, [6, 4, 4, 1], 3, 17)
    for chosen in range(len(case.into)):
        zeros = [g if i == chosen else torch.zeros_like(g) for i, g in enumerate(case.into)]
        alone = torch.autograd.grad(case.kernel_outputs()[chosen], case.inputs, case.into[chosen])
        for a, b in zip(alone, torch.autograd.grad(case.kernel_outputs(), case.inputs, zeros), strict=True):
            assert torch.equal(a, b)
    expected = case.gradients(case.kernel_outputs())[1:]
    case.x.requires_grad_(False)
    got = torch.autograd.grad(case.kernel_outputs(), case.inputs[1:], case.into)
    assert all(torch.equal(g, e) for g, e in zip(got, expected, strict=True))


@pytest.mark.parametrize("kernel", KERNELS)
def test_inputs_may_lie_anywhere(problem, kernel):
    """Strided and offset inputs give what their compact copies give."""
    case = problem(kernel, [6, 4, 4, 1], 3, 17)
    expected = case.kernel_outputs()
    case.x = torch.stack([case.x, case.x], 2).flatten(1)[:, ::2]
    case.weights = [w.t().contiguous().t() if w.dim() == 2 else w for w in case.weights]
    case.state = [torch.cat([s, s], 1)[:, 17:] for s in case.state]
    for got, wanted in zip(case.kernel_outputs(), expected, strict=True):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("batch", [0, 3])
def test_nothing_to_do(problem, kernel, batch):
    """No steps at all: empty output, the state stays, gradients are zero."""
    case = problem(kernel, [1, 1, 1], 3, 5)
    case.x = torch.empty(0, 3, dtype=case.dtype, requires_grad=True)
    case.state = [s[:batch].detach().requires_grad_() for s in case.state]
    case.counts = torch.empty(0, dtype=torch.int64)
    y, *final = case.kernel_outputs()
    assert y.shape == (0, 5)
    assert all(torch.equal(f, s) for f, s in zip(final, case.state, strict=True))
    grads = torch.autograd.grad([y.sum() + sum(f.sum() for f in final)], case.inputs)
    assert all(torch.equal(g, torch.ones_like(g)) for g in grads[1 : 1 + len(final)])
    assert all(not g.any() for g in (grads[0], *grads[1 + len(final) :]))


@pytest.mark.parametrize("kernel", KERNELS)
def test_nan_and_infinity_pass(problem, kernel):
    """NaN in gives NaN out in that row from there on, and nowhere else; infinite input saturates."""
    case = problem(kernel, [4, 4, 4], 3, 17)
    with torch.no_grad():
        clean = case.kernel_outputs()[0]
        case.x[4] = torch.nan  # time 1, row 1
        y = case.kernel_outputs()[0]
        rows = torch.arange(12) % 3 == 1
        assert y[rows][1:].isnan().all()
        assert torch.equal(y[~rows], clean[~rows])
        case.x[4] = 1e30
        if kernel != "elman_relu":
            assert case.kernel_outputs()[0].abs().max() < 1.5


def test_a_wrong_shape_is_an_error_not_a_crash(problem):
    case = problem("gru", [4, 3], 3, 5)
    case.counts = torch.tensor([2, 2, 2, 2])
    with pytest.raises(ValueError, match="packed steps"):
        case.kernel_outputs()
    case.counts = torch.tensor([1, 2, 2, 2])
    with pytest.raises(ValueError, match="non-increasing"):
        case.kernel_outputs()
    case = problem("gru", [4, 3], 3, 5)
    case.weights[1] = case.weights[1][:10]
    with pytest.raises(ValueError, match="weight_hh"):
        case.kernel_outputs()
