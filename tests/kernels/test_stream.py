"""A stream gives, step by step, what the whole sequence gives."""

from __future__ import annotations

import pytest
import torch

from saiki import kernels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("features", "width"), [(1, 1), (3, 17), (33, 64), (5, 130)])
@pytest.mark.parametrize("kernel", ["elman_tanh", "elman_relu", "lstm", "gru"])
def test_push_is_unroll(problem, kernel, features, width, dtype):
    case = problem(kernel, [12], features, width, dtype=dtype)
    y, *final = (t.detach() for t in case.kernel_outputs())
    stream = kernels.NativeStream(kernel, case.weights)
    stream.state = [s[0] for s in case.state]
    for x, expected in zip(case.x.detach(), y, strict=True):
        assert torch.equal(stream.push(x), expected)
    for part, expected in zip(stream.state, final, strict=True):
        assert torch.equal(part, expected[0])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("kernel", ["elman_tanh", "lstm", "gru"])
def test_threads_that_share_a_wide_layer_change_nothing(problem, kernel, threads):
    case = problem(kernel, [4], 70, 301 if kernel != "elman_tanh" else 701)
    y = case.kernel_outputs()[0].detach()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stream = kernels.NativeStream(kernel, case.weights)
        stream.state = [s[0] for s in case.state]
        assert all(torch.equal(stream.push(x), expected) for x, expected in zip(case.x.detach(), y, strict=True))
    finally:
        torch.set_num_threads(before)


def test_state_can_be_put_back(problem):
    case = problem("lstm", [6], 3, 5)
    stream = kernels.NativeStream("lstm", case.weights)
    stream.push(case.x.detach()[0])
    kept = stream.state
    first = [stream.push(x) for x in case.x.detach()]
    stream.state = kept
    assert all(torch.equal(stream.push(x), y) for x, y in zip(case.x.detach(), first, strict=True))


def test_output_into_a_given_tensor(problem):
    case = problem("gru", [1], 3, 5)
    out = torch.empty(5, dtype=torch.float64)
    assert kernels.NativeStream("gru", case.weights).push(case.x.detach()[0], out) is out


def test_a_wrong_input_is_an_error(problem):
    stream = kernels.NativeStream("gru", problem("gru", [1], 3, 5).weights)
    with pytest.raises(ValueError, match="x must be"):
        stream.push(torch.zeros(4, dtype=torch.float64))
    with pytest.raises(ValueError, match="of the same dtype as the weights"):
        stream.push(torch.zeros(3))
    square = kernels.NativeStream("gru", problem("gru", [1], 5, 5).weights)
    x = torch.zeros(5, dtype=torch.float64)
    with pytest.raises(ValueError, match="y must be other memory than x"):
        square.push(x, x)


def test_a_tensor_without_memory_is_an_error(problem):
    class Hollow(torch.Tensor):
        @staticmethod
        def __new__(cls):
            return torch.Tensor._make_wrapper_subclass(cls, (3,), dtype=torch.float64)

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return torch.zeros(3, dtype=torch.float64)

    with pytest.raises(ValueError, match="memory of their own"):
        kernels.NativeStream("gru", problem("gru", [1], 3, 5).weights).push(Hollow())


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (torch.zeros(6, dtype=torch.float64)[::2], "contiguous"),
        (torch.zeros(3, dtype=torch.float64, device="meta"), "on the CPU"),
        (torch.zeros(3, dtype=torch.float16), "float32"),
    ],
)
def test_a_tensor_that_a_kernel_cannot_read_is_an_error(problem, x, told):
    stream = kernels.NativeStream("gru", problem("gru", [1], 3, 5).weights)
    with pytest.raises(ValueError, match=told):
        stream.push(x)
