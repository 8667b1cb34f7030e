"""Which share the linear forecast gets."""

import numpy as np
import pytest

from saiki.tasks._linear_share import SHARES, chosen

HORIZON = 4


def errors_of(*least: float, noise: float = 0.0, windows: int = 40) -> np.ndarray:
    """Errors of every share, in windows for which these shares in turn are the best."""
    best = np.resize(np.array(least), windows)
    found = 1 + 4 * np.abs(SHARES[:, None] - best) ** 2
    return np.repeat((found + noise * np.random.default_rng(0).normal(size=windows))[..., None], HORIZON, 2)


@pytest.mark.parametrize("best", [0.0, 0.2, 0.9, 1.0])
def test_windows_that_agree_decide(best):
    found = SHARES[chosen(errors_of(best, noise=0.3), np.arange(40))]
    assert abs(found - best) <= 0.15  # a share whose error is 5 % more is as good


def test_windows_that_disagree_leave_it_near_a_half():
    few = chosen(errors_of(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, windows=7), np.arange(7))
    assert abs(SHARES[few] - 0.5) < 0.15


def test_windows_of_one_stretch_are_one_witness():
    """However many windows overlap: they tell about one stretch of time, and one says nothing of the next."""
    assert SHARES[chosen(errors_of(0.0), np.zeros(40, int))] == pytest.approx(0.5)
    assert SHARES[chosen(errors_of(0.0), np.arange(40) // 10)] < 0.2


def test_missing_values_are_left_out():
    errors = errors_of(0.0)
    errors[:, :30] = np.nan
    errors[:, :, 1] = np.nan
    assert SHARES[chosen(errors, np.arange(40))] < 0.2
    assert SHARES[chosen(np.full_like(errors, np.nan), np.arange(40))] == pytest.approx(0.5)
