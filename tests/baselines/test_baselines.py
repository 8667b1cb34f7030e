"""All baselines: laws that every one keeps, and Naive2 against a plain version written from R's definitions."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from saiki import baselines, catalog
from saiki.baselines import last_value, linear_lags, logistic_summary, naive2, seasonal_mean, seasonal_naive, tfidf
from saiki.data.panel import panel

NAN = np.nan
NAMES = baselines.names("forecast")
series = hnp.arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.one_of(st.floats(-1e6, 1e6, allow_subnormal=False), st.just(NAN), st.just(0.0), st.integers(-3, 3)),
)


def many(*histories, season=4):
    ids = np.repeat(np.arange(len(histories)), [len(s) for s in histories])
    times = np.concatenate([np.arange(len(s)) for s in histories])
    return panel(pl.DataFrame({"unique_id": ids, "ds": times, "y": np.concatenate(histories)}), season=season)


@pytest.mark.parametrize("name", NAMES)
@given(history=series, horizon=st.integers(1, 9), season=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_finite_unless_nothing_was_observed(name, history, horizon, season):
    found = catalog.load("baselines", name).forecast(history, horizon, season)
    assert found.shape == (horizon,)
    assert np.isfinite(found).all() == (not np.isnan(history).all())


@pytest.mark.parametrize("name", NAMES)
@given(value=st.floats(-1e6, 1e6), length=st.integers(1, 30), season=st.integers(1, 8))
@settings(max_examples=30, deadline=None)
def test_a_constant_stays(name, value, length, season):
    found = catalog.load("baselines", name).forecast(np.full(length, value), 5, season)
    np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "linear_lags"])  # that one learns from all series together
@given(histories=st.lists(series, min_size=1, max_size=5), season=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_all_at_once_is_one_by_one_and_padding_never_matters(name, histories, season):
    module = catalog.load("baselines", name)
    histories = [*histories, np.arange(3.0)]  # one series has two rows at least
    together = module.forecast_all(many(*histories, season=season), 5)
    for row, history in zip(together, histories, strict=True):
        np.testing.assert_allclose(row, module.forecast(history, 5, season), rtol=1e-9, atol=1e-9)
        padded = np.concatenate([[NAN] * 7, history])
        np.testing.assert_allclose(row, module.forecast(padded, 5, season), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["seasonal_naive", "seasonal_mean", "naive2", "linear_lags"])
def test_a_pure_season_goes_on(name):
    pattern = np.array([1.0, 5.0, 2.0, 9.0, 4.0, 3.0])
    found = catalog.load("baselines", name).forecast(np.tile(pattern, 12)[:-2], 8, 6)
    np.testing.assert_allclose(found, np.roll(np.tile(pattern, 2), 2)[:8], rtol=1e-6)


def test_by_hand():
    history = np.array([1.0, 2.0, 3.0, 4.0, NAN, 6.0])
    assert last_value.forecast(history, 2).tolist() == [6, 6]
    assert last_value.forecast(history[:5], 2).tolist() == [4, 4]
    assert seasonal_naive.forecast(history, 5, 3).tolist() == [4, 2, 6, 4, 2]
    assert seasonal_naive.forecast(np.array([5.0]), 3, 3).tolist() == [5, 5, 5]
    assert seasonal_mean.forecast(history, 3, 3).tolist() == [2.5, 2, 4.5]
    assert seasonal_mean.forecast(np.arange(10.0), 1, 1).tolist() == [7.5]
    assert seasonal_mean.forecast(np.arange(20.0), 2, 2).tolist() == [15, 16]  # the last four of nine seasons


def r_naive2(y, horizon, season, limit=1.645):
    """M4's R code, step by step, for complete positive series."""
    n = len(y)
    centred = y - y.mean()
    acf = [sum(centred[t] * centred[t + k] for t in range(n - k)) / sum(centred**2) for k in range(1, season + 1)]
    bound = limit / np.sqrt(n) * np.sqrt(1 + 2 * sum(r**2 for r in acf[: season - 1]))
    if n < 3 * season or not abs(acf[season - 1]) > bound:
        return np.full(horizon, y[-1])
    half = season // 2
    weights = [0.5] + [1.0] * (season - 1) + [0.5] if season % 2 == 0 else [1.0] * season
    ratios = [[] for _ in range(season)]
    for t in range(half, n - half):
        trend = sum(w * y[t - half + k] for k, w in enumerate(weights)) / season
        ratios[t % season].append(y[t] / trend)
    index = np.array([np.mean(r) for r in ratios])
    index /= index.mean()
    adjusted = y[-1] / index[(n - 1) % season]
    return np.array([adjusted * index[(n + k) % season] for k in range(horizon)])


@pytest.mark.parametrize("season", [2, 3, 4, 7, 12, 24])
@pytest.mark.parametrize("seed", range(4))
def test_naive2_is_that_of_m4(season, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2 * season, 9 * season))
    swing = rng.choice([0.0, 0.1, 0.5]) * np.sin(2 * np.pi * np.arange(n) / season)
    y = np.exp(0.01 * np.arange(n) + swing + 0.1 * rng.standard_normal(n))
    np.testing.assert_allclose(naive2.forecast(y, 10, season), r_naive2(y, 10, season), rtol=1e-10)


def test_naive2_is_told_from_its_neighbours():
    """The test above can fail: another limit or another decomposition gives other numbers."""
    y = np.exp(0.001 * np.arange(60) + 0.3 * np.sin(2 * np.pi * np.arange(60) / 12))
    assert not np.allclose(naive2.forecast(y, 10, 12), r_naive2(y, 10, 12, limit=99))
    assert not np.allclose(naive2.forecast(y, 10, 12), seasonal_naive.forecast(y, 10, 12))


def test_naive2_needs_three_seasons_and_a_season():
    y = np.tile([1.0] * 11 + [9.0], 3)
    assert naive2.forecast(y, 12, 12).tolist() == pytest.approx([1] * 11 + [9])
    assert naive2.forecast(y[1:], 12, 12).tolist() == [9] * 12
    noise = np.random.default_rng(0).standard_normal(200) + 10
    assert naive2.forecast(noise, 3, 12).tolist() == [noise[-1]] * 3


def test_naive2_of_values_at_or_below_zero_is_additive():
    pattern = np.array([-1.0, 0.0, 3.0, -4.0])
    y = np.tile(pattern, 10) + 0.5 * np.arange(40)
    found = naive2.forecast(y, 4, 4)
    np.testing.assert_allclose(found - found[0], pattern - pattern[0], atol=1e-9)


def test_linear_lags_learns_what_no_naive_forecast_can():
    rng = np.random.default_rng(0)
    y = np.zeros((60, 400))
    for t in range(2, 400):  # a damped swing whose period is no whole number of steps
        y[:, t] = 1.6 * y[:, t - 1] - 0.9 * y[:, t - 2] + rng.standard_normal(60)
    data, truth = many(*y[:, :-3], season=1), y[:, -3:]
    error = lambda f: np.abs(f - truth).mean()  # noqa: E731
    assert error(linear_lags.forecast_all(data, 3)) < 0.7 * error(last_value.forecast_all(data, 3))


def test_all_forecasts_has_every_baseline():
    found = baselines.all_forecasts(many(np.arange(20.0), np.arange(3.0)), 4)
    assert set(found) == set(NAMES)
    assert all(f.shape == (2, 4) for f in found.values())


@pytest.mark.parametrize("label", [0, 2])
def test_of_one_class_it_is_always_the_answer(label):
    truth, x = np.full(10, label), np.random.default_rng(0).normal(size=(10, 3))
    found = [
        logistic_summary.answer(logistic_summary.fit(x, truth, 3), x),
        tfidf.answer(tfidf.fit(["a b", "b c"] * 5, truth, 3), ["a", "z"]),
    ]
    assert all((answers.argmax(1) == label).all() and answers.max() == 1 for answers in found)


def test_one_class_in_what_the_penalty_is_chosen_on():
    truth = np.zeros(10, int)
    truth[np.random.default_rng(0).permutation(10)[0]] = 1  # among what is held out
    assert tfidf.answer(tfidf.fit(["a b"] * 10, truth, 2), ["a"]).argmax() == 0
