"""The mean surprise and its gradients are those of cross-entropy on whole scores, whatever the size of a block."""

import pytest
import torch
from torch import nn

from saiki.network import surprise
from saiki.network.surprise import mean_surprise


def made(steps, width=5, units=7, dtype=torch.double):
    generator = torch.Generator().manual_seed(steps)
    shapes = (steps, width), (units, width), (units,)
    drawn = [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]
    return drawn, torch.randint(units, (steps,), generator=generator)


def plain(h, weight, bias, following, smoothing):
    return nn.functional.cross_entropy(nn.functional.linear(h, weight, bias), following, label_smoothing=smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("steps", [1, 4, 11])
def test_it_is_cross_entropy(steps, smoothing, monkeypatch):
    monkeypatch.setattr(surprise, "ROWS", 4)
    monkeypatch.setattr(surprise, "AT_ONCE", 1)
    given, following = made(steps)
    found, expected = mean_surprise(*given, following, smoothing), plain(*given, following, smoothing)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(3 * found, given), torch.autograd.grad(3 * expected, given))
    with torch.no_grad():
        torch.testing.assert_close(mean_surprise(*given, following, smoothing), expected)


def test_units_that_are_hardly_possible_are_finite():
    given, following = made(3, dtype=torch.float32)
    with torch.no_grad():
        given[2][0] = 500.0
    following[:] = 1
    found = mean_surprise(*given, following)
    torch.testing.assert_close(found, plain(*given, following, 0.0))
    assert found > 400
    assert all(part.isfinite().all() for part in torch.autograd.grad(found, given))


def test_weights_without_gradients_get_none():
    (h, weight, bias), following = made(4)
    found = mean_surprise(h, weight.detach(), bias.detach(), following)
    torch.testing.assert_close(
        torch.autograd.grad(found, h), torch.autograd.grad(plain(h, weight, bias, following, 0), h)
    )


def test_gradients_of_gradients_are_refused():
    numbers, following = made(4)
    (gradient,) = torch.autograd.grad(mean_surprise(*numbers, following).square(), numbers[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
