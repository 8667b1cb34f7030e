"""The blend of past seasons: every candidate is what its equation says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from saiki.network.blend import NEVER, RATES, SeasonBlend


def only(blend: SeasonBlend, which: int) -> SeasonBlend:
    """The blend with one candidate alone."""
    with torch.no_grad():
        blend.chosen.weight.zero_()
        blend.chosen.bias.zero_()
        blend.fixed.fill_(NEVER)
        blend.fixed[:, which] = 0
    return blend.double()


def blended(blend: SeasonBlend, y: np.ndarray, end: int | None = None) -> np.ndarray:
    x = torch.tensor(y, dtype=torch.float64)[None]
    known = x.isfinite()
    ends = torch.tensor([len(y) if end is None else end])
    return blend(torch.zeros(1, 1, 3, dtype=torch.float64), x.nan_to_num(7.0), known, ends)[0, 0].detach().numpy()


def wave(steps: int, season: int, slope: float) -> np.ndarray:
    """A season that repeats upon a line."""
    pattern = np.random.default_rng(season).normal(size=season)
    t = np.arange(steps)
    return pattern[t % season] + slope * t


@pytest.mark.parametrize("season", [1, 4, 12])
@pytest.mark.parametrize("rate", range(len(RATES)))
def test_smoothing_goes_on_with_season_and_slope(season, rate):
    """Of a pure season all rates give it; upon a line the candidates with slope run parallel to it."""
    horizon, copies = season + 3, 6
    flat = SeasonBlend(3, horizon=horizon, season=season, copies=copies)
    first = flat.candidates - 2 * len(RATES)
    y = wave(copies * season + horizon, season, 0.0)
    np.testing.assert_allclose(blended(only(flat, first + rate), y[:-horizon]), y[-horizon:], atol=1e-9)
    y = wave(copies * season + horizon, season, 0.3)
    risen = blended(only(flat, first + len(RATES) + rate), y[:-horizon])
    away = y[-horizon:] - risen
    np.testing.assert_allclose(
        away, away[0], atol=1e-9
    )  # a smoothed level lags behind a line, by so much for all steps


@pytest.mark.parametrize("rate", range(len(RATES)))
def test_without_a_season_it_is_exponential_smoothing(rate):
    y = np.random.default_rng(0).normal(size=9)
    blend = SeasonBlend(3, horizon=2, season=1, copies=5)
    weights = (1 - RATES[rate]) ** np.arange(5)
    # the mean season of season 1 is what the levels have left: nothing
    expected = (weights * y[::-1][:5]).sum() / weights.sum()
    np.testing.assert_allclose(blended(only(blend, blend.candidates - 2 * len(RATES) + rate), y), expected, rtol=1e-6)


def test_an_earlier_end_sees_nothing_later():
    y = np.random.default_rng(0).normal(size=48)
    later = y.copy()
    later[36:] = 1e3
    for which in range(SeasonBlend(3, horizon=6, season=4, copies=5).candidates):
        blend = only(SeasonBlend(3, horizon=6, season=4, copies=5), which)
        np.testing.assert_array_equal(blended(blend, y, 36), blended(blend, later, 36))


def test_missing_values_have_no_weight():
    y = wave(52, 4, 0.0)
    expected, y = y[-4:], y[:-4]
    y[[*range(12, 16), *range(44, 48)]] = np.nan  # two whole seasons, the last one among them
    blend = SeasonBlend(3, horizon=4, season=4, copies=12)
    for which in range(blend.candidates - 2 * len(RATES), blend.candidates):
        np.testing.assert_allclose(blended(only(blend, which), y), expected, atol=1e-9)
    assert np.isfinite(blended(blend, np.full(48, np.nan))).all()


def test_half_of_the_weight_is_smoothing_at_first():
    blend = SeasonBlend(3, horizon=4, season=4, copies=12)
    weights = blend.fixed.softmax(-1)
    smooth = weights[:, -2 * len(RATES) :].sum(-1)
    assert torch.allclose(smooth, torch.full((4,), 0.5))
    blend.copy_evenly()
    assert blend.fixed.softmax(-1)[:, -2 * len(RATES) :].sum() < 1e-12
    assert math.isclose(float(blend.fixed.softmax(-1).sum()), 4, rel_tol=1e-5)
