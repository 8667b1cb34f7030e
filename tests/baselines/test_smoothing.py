"""Theta and exponential smoothing beside an exact search (statsmodels), and on series whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from saiki.baselines import ets, theta
from saiki.baselines._smoothing import Candidates, smooth


def wandering(seed: int, steps: int = 120) -> np.ndarray:
    """A level that wanders, with noise: what simple smoothing is optimal for."""
    rng = np.random.default_rng(seed)
    return 50 + np.cumsum(rng.normal(size=steps)) + rng.normal(size=steps)


@pytest.mark.slow
def test_the_grid_comes_near_the_exact_search():
    from statsmodels.tsa.api import SimpleExpSmoothing

    for seed in range(3):
        y = wandering(seed)
        exact = SimpleExpSmoothing(y, initialization_method="known", initial_level=y[0]).fit()
        found = smooth(y[None], theta.CANDIDATES, y[:1], np.zeros((1, 1)))
        assert found.error[0] <= 1.005 * exact.sse
        np.testing.assert_allclose(found.level, exact.forecast(1), atol=0.1 * y.std())


def test_smoothing_by_hand():
    given = Candidates(np.array([0.5]), np.array([0.25]), np.array([0.0]), np.array([0.9]))
    found = smooth(np.array([[1.0, 3.0, np.nan]]), given, np.array([1.0]), np.zeros((1, 1)))
    # errors 0 and 2: level 1 + 0.5 · 2, slope 0.25 · 2; then one step without a value: level 2 + 0.9 · 0.5, slope 0.9 · 0.5
    assert (found.error[0], found.level[0], found.slope[0]) == pytest.approx((4.0, 2.45, 0.45))
    assert found.ahead(2)[0] == pytest.approx([2.45 + 0.45 * 0.9, 2.45 + 0.45 * (0.9 + 0.81)])


def test_theta_takes_half_of_a_trend():
    line = 3 + 2 * np.arange(60.0)
    found = theta.forecast(line, 4)
    np.testing.assert_allclose(np.diff(found), 1.0)  # half of 2 per step
    assert (
        abs(found[0] - (3 + 2 * 60 - 1)) < 0.1
    )  # one step behind, as smoothing with nearly all weight on the newest is


def test_a_season_on_wandering_levels_is_found_by_both():
    wave = 8 * np.sin(2 * np.pi * np.arange(240) / 12)
    y = np.stack([wandering(seed, 240) + wave for seed in range(20)])
    history, truth = y[:, :-12], y[:, -12:]
    plain = np.abs(truth - history[:, -1:]).mean()
    for module in (ets, theta):
        assert np.abs(truth - module.rows(history, 12, 12)).mean() < 0.5 * plain


def test_multiplied_seasons_take_the_logarithm():
    t = np.arange(144)
    y = np.exp(0.02 * t) * (2 + np.sin(2 * np.pi * t / 12))
    error = np.abs(ets.forecast(y[:-12], 12, 12) / y[-12:] - 1)
    assert error.mean() < 0.1
