"""The share of a baseline beside a network: settled by what was held out, from scores alone."""

import numpy as np
import pytest
import torch

from saiki.tasks import _baseline_share
from saiki.tasks._classifying import _loss, _temperature


def settled(network, baseline, truth):
    truth = torch.from_numpy(truth)
    loss = lambda z, heat: _loss(torch.from_numpy(z), truth, heat)  # noqa: E731
    heat = lambda z: _temperature(torch.from_numpy(z), truth)  # noqa: E731
    return _baseline_share.factors(network, baseline, loss, heat)


def scores(rng, truth, clear):
    """Logarithms of probabilities that know the truth more or less clearly."""
    z = rng.normal(size=(len(truth), 3))
    z[np.arange(len(truth)), truth] += clear
    return z - np.log(np.exp(z).sum(1, keepdims=True))


@pytest.mark.parametrize(("clear", "least", "most"), [((2, 0), 0, 0.1), ((0, 2), 0.9, 1), ((1.5, 1.5), 0.35, 0.65)])
def test_who_knows_more_has_more_of_a_share(clear, least, most):
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=2000)
    network, baseline = (scores(rng, truth, c) for c in clear)
    a, b = settled(network, baseline, truth)
    assert least <= b / (a + b) <= most
    z, alone = torch.from_numpy(a * network + b * baseline), torch.from_numpy(network)
    target = torch.from_numpy(truth)
    assert _loss(z, target, 1.0) <= _loss(alone, target, _temperature(alone, target)) + 2e-3
    if clear[0] == clear[1]:
        assert (z.argmax(1) == target).double().mean() > (alone.argmax(1) == target).double().mean() + 0.05


def test_few_rows_keep_to_what_is_believed_before():
    rng = np.random.default_rng(1)
    truth = rng.integers(3, size=2)
    a, b = settled(np.zeros((2, 3)), np.zeros((2, 3)), truth)
    assert b / (a + b) == pytest.approx(_baseline_share.BEGIN)


def test_probabilities_of_nothing_are_finite():
    assert np.isfinite(_baseline_share.logarithms(np.array([[0.0, 1.0]]))).all()
    assert np.isfinite(_baseline_share.logits(np.array([[0.0, 1.0]]))).all()
