"""Dropout with masks of one's own, beside torch's."""

from __future__ import annotations

import pytest
import torch

from saiki.network.dropout import WORTH, Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_as_many_are_dropped_and_the_others_scaled(p, dtype):
    torch.manual_seed(0)
    x = torch.ones(50, 4 * WORTH // 50, dtype=dtype, requires_grad=True)
    y = Dropout(p)(x)
    assert set(y.detach().unique().tolist()) == {0.0, torch.tensor(1 / (1 - p), dtype=dtype).item()}
    assert (y == 0).double().mean().item() == pytest.approx(p, abs=0.01)
    assert (y[:25] == 0).double().mean().item() == pytest.approx(p, abs=0.02)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_the_seed_of_torch_is_the_seed():
    x, drop = torch.ones(2, WORTH), Dropout(0.3)
    found = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        found.append((drop(x), drop(x)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert not torch.equal(found[0][0], found[0][1])
    assert not torch.equal(found[0][0], found[2][0])


def test_rows_and_columns_are_independent():
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(256, 256)) != 0).double()
    assert (kept.mean(0) - 0.5).abs().max() < 0.2
    assert (kept.mean(1) - 0.5).abs().max() < 0.2
    beside = (kept[:, 1:] - 0.5) * (kept[:, :-1] - 0.5)
    assert abs(beside.mean().item()) < 0.005


def test_nothing_is_dropped_where_nothing_is_trained():
    x = torch.randn(3, WORTH)
    assert torch.equal(Dropout(0.4).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()


def test_a_transformation_of_torch_gets_torchs_own():
    drop = Dropout(0.5)
    found = torch.func.vmap(lambda x: drop(x), randomness="different")(torch.ones(3, WORTH))
    assert (found == 0).double().mean().item() == pytest.approx(0.5, abs=0.02)
