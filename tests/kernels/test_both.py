"""Both directions of a layer in one call: the answers and gradients of two calls, on any number of threads."""

from __future__ import annotations

import pytest
import torch

from saiki import kernels

KERNELS = ("elman_tanh", "elman_relu", "lstm", "gru")
SIZES = {
    "too little to wake anyone": ([3, 2], 4, 5),
    "one row": ([40], 33, 90),
    "more rows than threads": ([40] * 9 + [7] * 4 + [0], 33, 64),
    "split by units": ([12], 33, 300),
}


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_both_directions_are_two_calls(problem, threads, kernel, size, number):
    threads(number)
    there, back = (problem(kernel, *SIZES[size], seed=seed) for seed in (0, 1))
    back.x, back.reverse = there.x, True
    inputs = [there.x, *there.inputs[1:], *back.inputs[1:]]
    into = [*there.into, *back.into]

    def gradients(outputs):
        return torch.autograd.grad(outputs, inputs, into, retain_graph=True)

    apart = [*there.kernel_outputs(), *back.kernel_outputs()]
    directions = [(case.state, case.weights, case.reverse) for case in (there, back)]
    found = kernels.unroll_layer(kernel, there.x, directions, there.counts)
    together = [t for y, final in found for t in (y, *final)]
    for one, other in zip((*together, *gradients(together)), (*apart, *gradients(apart)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_a_direction_that_nothing_is_asked_of_has_no_part(problem):
    there, back = (problem("gru", [5, 3], 4, 6, seed=seed) for seed in (0, 1))
    directions = [(case.state, case.weights, case.reverse) for case in (there, back)]
    (y, _), _ = kernels.unroll_layer("gru", there.x, directions, there.counts)
    alone, *_ = there.kernel_outputs()
    together = torch.autograd.grad(y.sum(), [there.x, *back.weights], allow_unused=True)
    assert torch.equal(together[0], torch.autograd.grad(alone.sum(), there.x)[0])
    assert all(grad is None or not grad.any() for grad in together[1:])
