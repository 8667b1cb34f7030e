"""Which share the linear forecast gets."""

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.tasks._linear_share import SHARES, chosen

HORIZON = 4


def errors_of(best: float, steep: float = 1.0, windows: int = 200) -> np.ndarray:
    """Errors of every share in windows for which this one is the best."""
    found = np.repeat(1 + steep * np.abs(SHARES[:, None] - best) ** 2, windows, 1)
    found += 0.3 * np.random.default_rng(0).normal(size=windows)
    return np.repeat(found[..., None], HORIZON, 2)


@pytest.mark.parametrize("best", [0.0, 0.2, 0.9, 1.0])
def test_more_stretches_of_time_draw_it_away_from_a_half(best):
    away = [abs(chosen(errors_of(best), np.arange(200) % stretches) - 0.5) for stretches in (1, 5, 20, 200)]
    assert away == sorted(away)
    assert away[0] <= 0.15
    assert away[-1] == pytest.approx(abs(best - 0.5), abs=0.051)


def test_a_forecast_that_is_far_worse_gets_nothing_of_few_stretches_either():
    assert chosen(errors_of(0.0, steep=300.0), np.arange(200) % 4) <= 0.1
    assert chosen(errors_of(1.0, steep=300.0), np.arange(200) % 4) >= 0.9


def test_of_shares_that_are_as_good_the_mean_counts():
    errors = np.repeat((1 + 0.02 * SHARES)[:, None, None], 200, 1)
    assert chosen(errors, np.arange(200) % 40) == pytest.approx(0.5, abs=0.051)


def test_every_stretch_counts_alike():
    """Many windows of one stretch do not outvote two others."""
    errors = np.concatenate([errors_of(0.0, windows=198), errors_of(1.0, windows=2)], 1)
    assert chosen(errors, np.concatenate([np.zeros(198, int), [1, 2]])) >= 0.5
    assert chosen(errors, np.zeros(200, int)) < 0.5


def test_missing_values_are_left_out():
    errors = errors_of(0.0)
    errors[:, :30] = np.nan
    errors[:, :, 1] = np.nan
    errors[3, 40] = np.nan
    assert chosen(errors, np.arange(200)) < 0.1
    assert chosen(np.full_like(errors, np.nan), np.arange(200)) == 0.5
    assert chosen(np.zeros_like(errors), np.arange(200)) == pytest.approx(0.5)


def test_a_series_without_a_scale_does_not_decide_for_the_others():
    """Its errors are in units of the data, the others' in units of their naive errors."""
    rng, t = np.random.default_rng(0), np.arange(120)
    y = 10 + np.sin(2 * np.pi * t / 12) + 0.1 * rng.normal(size=120)
    parts = [pl.DataFrame({"unique_id": ["a"] * 120, "ds": t, "y": y})]
    given = {"horizon": 6, "season": 12, "steps": 5, "width": 8, "layers": 1, "refit": False}
    alone = saiki.train("forecast", parts[0], **given)
    constant = pl.DataFrame({"unique_id": ["b"] * 120, "ds": t, "y": np.full(120, 1e9)})
    both = saiki.train("forecast", pl.concat([parts[0], constant]), **given)
    assert 0 < alone.network.linear.share < 1
    assert 0 < both.network.linear.share < 1
