"""States as they may be given: none at all, and with torch.nn's axis of layers."""

from __future__ import annotations

import pytest
import torch

from saiki import kernels, nn

KERNELS = ("elman_tanh", "elman_relu", "lstm", "gru")
LENGTHS = [6, 4, 4, 1]


def answers(case, state, **how):
    y, final = kernels.unroll_layer(case.kernel, case.x, [(state, case.weights, False)], case.counts, **how)[0]
    return [y, *final]


def gradients(case, outputs):
    into = [grad.reshape(out.shape) for out, grad in zip(outputs, case.into, strict=True)]
    return torch.autograd.grad(outputs, [case.x, *case.weights], into)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kernel", KERNELS)
def test_none_is_zeros(problem, kernel, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    case = problem(kernel, LENGTHS, 5, 7)
    zeros = [torch.zeros_like(part) for part in case.state]
    expected, got = answers(case, zeros), answers(case, [None] * len(zeros))
    assert [part.shape for part in got] == [part.shape for part in expected]
    pairs = zip((*got, *gradients(case, got)), (*expected, *gradients(case, expected)), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    with torch.no_grad():
        assert all(
            torch.equal(one, other) for one, other in zip(answers(case, [None] * len(zeros)), expected, strict=True)
        )


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_axis_of_layers_stays(problem, kernel):
    case = problem(kernel, LENGTHS, 5, 7)
    expected, got = answers(case, case.state), answers(case, [part[None] for part in case.state])
    absent = answers(case, [None] * len(case.state), stacked=True)
    assert all(part.shape == (1, 4, 7) for part in (*got[1:], *absent[1:]))
    pairs = zip((*got, *gradients(case, got)), (*expected, *gradients(case, expected)), strict=True)
    assert all(torch.equal(one.reshape(other.shape), other) for one, other in pairs)


@pytest.mark.parametrize("shape", [(4, 8), (3, 7), (2, 4, 7), (1, 1, 4, 7), (28,)])
def test_states_of_other_shapes_are_refused(problem, shape):
    case = problem("gru", LENGTHS, 5, 7)
    with pytest.raises(ValueError, match=r"state|rows|counts"):
        answers(case, [torch.zeros(shape, dtype=torch.float64)])


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_of_gradients_without_a_state(kernel):
    """The reference gets zeros in place of a state that was not given."""
    kind = {"lstm": "LSTM", "gru": "GRU"}.get(kernel, "RNN")
    how = {"nonlinearity": kernel.removeprefix("elman_")} if kind == "RNN" else {}
    torch.manual_seed(0)
    layer = getattr(nn, kind)(3, 4, dtype=torch.float64, **how)
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    zeros = torch.zeros(1, 2, 4, dtype=torch.float64)

    def second(hx, lengths):
        y, final = layer(x, hx, lengths=lengths)
        last = final[0] if isinstance(final, tuple) else final
        (first,) = torch.autograd.grad(y.pow(2).sum() + last.pow(3).sum(), x, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), [x, *layer.parameters()])

    for lengths in (None, torch.tensor([2, 5])):
        expected = second((zeros, zeros) if kind == "LSTM" else zeros, lengths)
        assert all(torch.equal(one, other) for one, other in zip(second(None, lengths), expected, strict=True))


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_and_states_turned_round(problem, kernel):
    """Dense, but not in the usual order: gradients come in the usual one."""
    case = problem(kernel, LENGTHS, 5, 7)
    expected = gradients(case, answers(case, case.state))
    case.weights[:2] = [w.detach().t().contiguous().t().requires_grad_() for w in case.weights[:2]]
    turned = [part.detach().t().contiguous().t() for part in case.state]
    got = gradients(case, answers(case, turned))
    assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))


def test_the_binding_wants_a_state_for_every_part(problem):
    case = problem("lstm", LENGTHS, 5, 7)
    with pytest.raises(ValueError, match="as many tensors"):
        answers(case, [None])
