"""Which share the linear forecast gets."""

import numpy as np
import pytest

from saiki.tasks._linear_share import PRIOR, SHARES, chosen

HORIZON = 4


def errors_of(best: float, windows: int = 200) -> np.ndarray:
    """Errors of every share in windows for which this one is the best."""
    found = np.repeat(1 + 20 * np.abs(SHARES[:, None] - best) ** 2, windows, 1)  # the next one is much worse
    found += 0.3 * np.random.default_rng(0).normal(size=windows)
    return np.repeat(found[..., None], HORIZON, 2)


@pytest.mark.parametrize("best", [0.0, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("stretches", [1, 10, 200])
def test_more_stretches_of_time_draw_it_away_from_a_half(best, stretches):
    found = chosen(errors_of(best), np.arange(200) % stretches)
    assert found == pytest.approx((stretches * best + PRIOR / 2) / (stretches + PRIOR))
    assert abs(found - 0.5) <= abs(best - 0.5)


def test_of_shares_that_are_as_good_the_safest_counts():
    errors = np.repeat((1 + 0.02 * SHARES)[:, None, None], 200, 1)
    assert chosen(errors, np.arange(200)) == pytest.approx(0.5)


def test_every_stretch_counts_alike():
    """Many windows of one stretch do not outvote two others."""
    errors = np.concatenate([errors_of(0.0, 198), errors_of(1.0, 2)], 1)
    stretch = np.concatenate([np.zeros(198, int), [1, 2]])
    assert chosen(errors, stretch) > 0.5


def test_missing_values_are_left_out():
    errors = errors_of(0.0)
    errors[:, :30] = np.nan
    errors[:, :, 1] = np.nan
    assert chosen(errors, np.arange(200)) < 0.1
    assert chosen(np.full_like(errors, np.nan), np.arange(200)) == 0.5
    errors[3, 40] = np.nan
    assert chosen(errors, np.arange(200)) < 0.1
