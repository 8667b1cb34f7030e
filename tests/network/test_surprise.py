"""The mean surprise and its gradients are those of cross-entropy on whole scores, whatever the size of a block."""

import pytest
import torch
from torch import nn

from saiki.network import surprise
from saiki.network.surprise import mean_surprise, sampled


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


def test_a_sample_stands_for_all_units():
    """The sum of the exponentials is right in the mean, what follows is among the sample, and gradients reach the right rows."""
    torch.manual_seed(0)
    (h, weight, bias), following = made(3, units=60)
    whole = (h @ weight.T + bias).exp().sum(1)
    sums = []
    for _ in range(2000):
        some, offset, place = sampled(weight, bias, following, 5, 12)
        assert len(some) == len(offset) <= 5 + 3 + 12
        torch.testing.assert_close(some[place], weight[following])
        torch.testing.assert_close(offset[place], bias[following])
        sums.append((h @ some.T + offset).exp().sum(1))
    sums = torch.stack(sums)
    error = sums.std(0) / len(sums) ** 0.5
    assert ((sums.mean(0) - whole).abs() < 4 * error).all()
    assert (sums.std(0) > 0).all()
    gradient = torch.autograd.grad(mean_surprise(h, some, offset, place), weight)[0]
    kept = {int(row) for row in gradient.abs().sum(1).nonzero()}
    assert set(range(5)) | set(following.tolist()) <= kept
    assert len(kept) == len(some)


def test_a_sample_as_large_as_the_vocabulary_is_the_vocabulary():
    (_, weight, bias), following = made(4, units=20)
    assert sampled(weight, bias, following, 10, 10)[0] is weight
    assert len(sampled(weight, bias, following, 3, 2)[0]) < 20
