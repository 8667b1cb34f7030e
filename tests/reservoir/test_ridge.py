"""The readout in closed form against scikit-learn and against its definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Expected

from saiki.errors import DataError, OptionError
from saiki.reservoir import RecursiveLeastSquares, Ridge


def draw(rows=200, features=12, outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, features)) @ rng.standard_normal((features, features)) + 5
    y = x @ rng.standard_normal((features, outputs)) + rng.standard_normal((rows, outputs)) - 3
    return torch.from_numpy(x), torch.from_numpy(y)


@pytest.mark.parametrize("rows", [3, 12, 13, 200])
@pytest.mark.parametrize("strength", [1e-3, 1.0, 100.0])
def test_one_strength_is_scikit_learns(rows, strength):
    x, y = draw(rows)
    ridge = Ridge(12, 2)
    for begin in range(0, rows, 37):
        ridge.add(x[begin : begin + 37], y[begin : begin + 37])
    for solution in (ridge.solve(strength), ridge.solve((strength,))):
        expected = Expected(strength, solver="svd").fit(x, y)
        np.testing.assert_allclose(solution.weight, expected.coef_.T, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(solution.intercept, expected.intercept_, rtol=1e-8)


def test_scores_are_generalised_cross_validation():
    x, y = draw(60)
    ridge = Ridge(12, 2)
    ridge.add(x, y)
    found = ridge.solve((0.1, 10.0, 1e4))
    for strength, score in zip(found.strengths, found.scores, strict=True):
        xc, yc = x - x.mean(0), y - y.mean(0)
        hat = xc @ torch.linalg.solve(xc.T @ xc + strength * torch.eye(12), xc.T)
        free = 60 - 1 - hat.trace()
        expected = (yc - hat @ yc).square().sum() * 60 / free**2 / 2
        assert score == pytest.approx(expected.item(), rel=1e-9)
    assert found.strength == found.strengths[int(np.argmin(found.scores))]


def test_digits_that_normal_equations_lose_are_kept():
    """Columns that differ by 1e-9: their difference is the answer; squaring the matrix would leave nothing of it."""
    rng = np.random.default_rng(0)
    base, small = rng.standard_normal((2, 500, 1))
    x = torch.from_numpy(np.hstack([base, base + 1e-9 * small]))
    ridge = Ridge(2, 1)
    for block in x.split(50):
        ridge.add(block, ((block[:, 1] - block[:, 0]) * 1e9)[:, None])
    found = ridge.solve()
    said = x @ found.weight + found.intercept
    assert (said - torch.from_numpy(small)).abs().max() < 1e-5
    assert torch.linalg.matrix_rank((x - x.mean(0)).T @ (x - x.mean(0))) == 1


def test_zero_strength_and_constant_columns():
    x, y = draw(50)
    x[:, 3] = 7.0
    ridge = Ridge(12, 2)
    ridge.add(x, y)
    for found in (ridge.solve(0.0), ridge.solve((0.0,)), ridge.solve()):
        assert found.weight.isfinite().all()
        residual = y - x @ found.weight - found.intercept
        assert residual.mean(0).abs().max() < 1e-9
    constant = Ridge(1, 1)
    constant.add(torch.ones(5, 1, dtype=torch.float64), torch.arange(5.0)[:, None])
    assert constant.solve().intercept.item() == pytest.approx(2)


def test_row_by_row_is_all_at_once():
    x, y = draw(80)
    online = RecursiveLeastSquares(12, 2, strength=0.5)
    before = [online.learn(row, target) for row, target in zip(x, y, strict=True)]
    a = torch.cat([torch.ones(80, 1, dtype=torch.float64), x], 1)
    expected = torch.linalg.solve(a.T @ a + 0.5 * torch.eye(13), a.T @ y)
    torch.testing.assert_close(online.weights, expected, rtol=1e-6, atol=1e-8)
    assert not before[0].any()
    torch.testing.assert_close(online.predict(x[0]), expected[0] + x[0] @ expected[1:], rtol=1e-6, atol=1e-6)


def test_forgetting_follows_a_change():
    rng = np.random.default_rng(0)
    keeps, forgets = RecursiveLeastSquares(1, 1), RecursiveLeastSquares(1, 1, forgetting=0.95)
    for step in range(600):
        x = torch.from_numpy(rng.standard_normal(1))
        for one in (keeps, forgets):
            one.learn(x, x * (1.0 if step < 300 else -1.0))
    assert forgets.weights[1].item() == pytest.approx(-1, abs=1e-3)
    assert abs(keeps.weights[1].item()) < 0.2


def test_what_cannot_be_learned_from_is_one_line():
    ridge = Ridge(2, 1)
    with pytest.raises(DataError, match=r"expected \[rows, 2\] and \[rows, 1\]"):
        ridge.add(torch.zeros(3, 1), torch.zeros(3, 1))
    with pytest.raises(DataError, match="finite rows"):
        ridge.add(torch.full((3, 2), float("nan")), torch.zeros(3, 1))
    with pytest.raises(DataError, match="expected at least 2"):
        ridge.solve()
    ridge.add(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(OptionError, match="at least 0"):
        ridge.solve(-1.0)
    with pytest.raises(OptionError, match="forgetting"):
        RecursiveLeastSquares(1, 1, forgetting=0)


def test_weights_of_rows_are_repetitions():
    x, y = draw(40)
    weight = torch.arange(40) % 3
    weighted, repeated = Ridge(12, 2), Ridge(12, 2)
    weighted.add(x[:25], y[:25], weight[:25])
    weighted.add(x[25:], y[25:], weight[25:])
    repeated.add(x.repeat_interleave(weight, 0), y.repeat_interleave(weight, 0))
    torch.testing.assert_close(weighted.solve(0.5).weight, repeated.solve(0.5).weight, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(weighted.solve(0.5).intercept, repeated.solve(0.5).intercept, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("strength", [0.0, 2.0])
def test_leverage_tells_the_error_of_a_row_left_out(strength):
    x, y = draw(40)
    ridge = Ridge(12, 2)
    ridge.add(x, y)
    found = ridge.solve(strength)
    errors = y - x @ found.weight - found.intercept
    for row in (0, 7, 39):
        rest = Ridge(12, 2)
        others = torch.arange(40) != row
        rest.add(x[others], y[others])
        without = rest.solve(strength)
        expected = y[row] - x[row] @ without.weight - without.intercept
        torch.testing.assert_close(errors[row] / (1 - ridge.leverage(x[row : row + 1], strength)), expected)


def test_rows_after_a_fit_count_as_if_they_had_been_in_it():
    """Online from what a regression found is online from the beginning.

    But for the intercept, which online has a penalty (1e-9) and the regression has none: hence 1e-6.
    """
    x, y = torch.randn(60, 4, dtype=torch.float64), torch.randn(60, 2, dtype=torch.float64)
    ridge = Ridge(4, 2)
    ridge.add(x[:40], y[:40])
    late, early = (RecursiveLeastSquares(4, 2, 1e-9) for _ in range(2))
    late.go_on(ridge.solve(1e-9), ridge.factor[:, :5])
    for row in range(40):
        early.learn(x[row], y[row])
    torch.testing.assert_close(late.weights, early.weights, rtol=0, atol=1e-6)
    for row in range(40, 60):
        for online in (late, early):
            online.learn(x[row], y[row])
    torch.testing.assert_close(late.weights, early.weights, rtol=0, atol=1e-6)
