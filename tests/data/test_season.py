"""The season that is there is found, and where there is none, none is."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.datasets

from saiki.data.panel import panel


def season(y, freq=None):
    times = pd.date_range("2020-01-01", periods=len(y), freq=freq) if freq else np.arange(len(y))
    return panel(pl.DataFrame({"ds": times, "y": y})).season


def wave(period, length, noise=0.3, seed=0):
    return np.sin(2 * np.pi * np.arange(length) / period) + noise * np.random.default_rng(seed).standard_normal(length)


@pytest.mark.parametrize(
    ("freq", "period"), [("h", 24), ("h", 168), ("D", 7), ("D", 365), ("MS", 12), ("QS", 4), ("30min", 48)]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_season_of_the_calendar_is_found(freq, period, seed):
    assert season(wave(period, 5 * period, seed=seed), freq) == period


@pytest.mark.parametrize("period", [4, 7, 12, 24, 48, 100, 288])
@pytest.mark.parametrize("seed", range(3))
def test_a_season_of_integer_time_is_found(period, seed):
    rng = np.random.default_rng(seed)
    length = max(6 * period, 100) + 5
    assert season(np.resize(rng.standard_normal(period), length) + 0.3 * rng.standard_normal(length)) == period


@pytest.mark.parametrize("freq", [None, "h", "D", "MS"])
@pytest.mark.parametrize("seed", range(6))
def test_noise_walks_and_trends_have_none(freq, seed):
    noise = np.random.default_rng(seed).standard_normal(300)
    assert season(noise, freq) == 1
    assert season(np.arange(300.0), freq) == 1
    if freq:  # without a calendar to ask, a walk of 300 steps cannot be told from a slow cycle
        assert season(noise.cumsum(), freq) == 1


def test_trend_level_missing_values_and_units_do_not_matter():
    y = wave(12, 120)
    for changed in (y + 0.05 * np.arange(120), 1e6 * y, y + 1e6, np.where(np.arange(120) % 5 == 2, np.nan, y)):
        assert season(changed) == 12


def test_it_is_pooled_over_series():
    rows = [wave(24, 100, 1.0, seed) for seed in range(60)]
    ids, times = np.repeat(np.arange(60), 100), np.tile(np.arange(100), 60)
    assert panel(pl.DataFrame({"unique_id": ids, "ds": times, "y": np.concatenate(rows)})).season == 24


def test_constants_and_short_series_have_none():
    assert season(np.ones(50)) == season(np.full(50, np.nan)) == season(np.array([1.0, 2.0])) == 1
    assert season(np.ones(50), "h") == 1


def test_the_weeks_of_mauna_loa():
    weeks = statsmodels.datasets.co2.load_pandas().data.reset_index(names="ds")
    data = panel(weeks, target="co2")
    assert (data.frequency.name, data.season) == ("W", 52)
    assert int(np.isnan(data.y).sum()) == 59
    assert data.frequency.regular
