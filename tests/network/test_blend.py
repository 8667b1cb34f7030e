"""The blend of past seasons: every candidate is what its equation says."""

from __future__ import annotations

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
    weights = (1 - np.float64(np.float32(RATES[rate]))) ** np.arange(5)  # rates are kept in single precision
    # the mean season of season 1 is what the levels have left: nothing
    expected = (weights * y[::-1][:5]).sum() / weights.sum()
    np.testing.assert_allclose(blended(only(blend, blend.candidates - 2 * len(RATES) + rate), y), expected, rtol=1e-9)


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


@pytest.mark.parametrize(("season", "copies", "missing"), [(1, 28, 10), (24, 4, 24), (24, 4, 70), (12, 4, 3)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_gap_at_the_end_keeps_a_constant_and_a_season(season, copies, missing, kind):
    known = np.arange(season * copies) < season * copies - missing
    for y in (np.full(season * copies, 3.0), wave(season * copies, season, 0.0)):
        future = y[:season] if known.sum() > 2 * season else y[:1]
        blend = SeasonBlend(3, horizon=len(future), season=season, copies=copies)
        for which in range(blend.candidates - 2 * len(RATES), blend.candidates):
            one = only(blend, which).to(kind)
            x, there = torch.tensor(y, dtype=kind)[None], torch.tensor(known)[None]
            found = one(torch.zeros(1, 1, 3, dtype=kind), x * there, there, torch.tensor([len(y)]))[0, 0].detach()
            if known.sum() >= season:  # sums of up to 96 numbers in either precision
                np.testing.assert_allclose(found, future, atol=1e-5 if kind is torch.float32 else 1e-9)
            else:
                assert float(found.abs().max()) <= np.abs(y[known]).max() + 1e-5


def test_a_part_of_a_season_makes_no_slope():
    """A series shorter than the window by a part of a season."""
    y = 10 * np.sin(2 * np.pi * np.arange(60) / 12)
    expected, y = y[-12:], y[:-12]
    y[:18] = np.nan
    blend = SeasonBlend(3, horizon=12, season=12, copies=4)
    for which in range(blend.candidates - 2 * len(RATES), blend.candidates):
        np.testing.assert_allclose(blended(only(blend, which), y), expected, atol=1e-9)


@pytest.mark.parametrize("season", [1, 4])
def test_weights_from_before_smoothing_load_and_say_the_same(season):
    torch.manual_seed(0)
    blend = SeasonBlend(3, horizon=6, season=season, copies=5)
    more = 2 * len(RATES)
    with torch.no_grad():
        blend.fixed.normal_()
        blend.fixed[:, -more:] = NEVER
    kept, blocks = blend.candidates - more, blend.blocks
    old = {
        "fixed": blend.fixed[:, :kept],
        "chosen.weight": blend.chosen.weight.unflatten(0, (blocks, -1))[:, :kept].flatten(0, 1),
        "chosen.bias": blend.chosen.bias.unflatten(0, (blocks, -1))[:, :kept].flatten(0, 1),
    }
    again = SeasonBlend(3, horizon=6, season=season, copies=5)
    again.load_state_dict(old)
    x, state = torch.randn(2, 30), torch.randn(2, 1, 3)
    given = x, torch.ones(2, 30, dtype=torch.bool), torch.tensor([30])
    torch.testing.assert_close(again(state, *given), blend(state, *given))


def test_half_of_the_weight_is_smoothing_at_first():
    blend = SeasonBlend(3, horizon=4, season=4, copies=12)
    weights = blend.fixed.detach().softmax(-1)
    smooth = weights[:, -2 * len(RATES) :].sum(-1)
    assert torch.allclose(smooth, torch.full((4,), 0.5))
    blend.copy_evenly()
    assert blend.fixed.detach().softmax(-1)[:, -2 * len(RATES) :].sum() < 1e-12
