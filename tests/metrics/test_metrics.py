"""Scores against values worked out by hand, an independent version, and laws."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given

from saiki import catalog, metrics
from saiki.data.panel import panel
from saiki.metrics import coverage, mae, mase, owa, pinball, rmse, smape

NAN = np.nan
TRUTH = np.array([[1.0, 2.0], [10.0, NAN]])
FORECAST = np.array([[2.0, 4.0], [7.0, 99.0]])
numbers = hnp.arrays(np.float64, (3, 4), elements=st.integers(-(10**6), 10**6).map(lambda k: k / 8))


def histories(*series):
    ids = np.repeat(np.arange(len(series)), [len(s) for s in series])
    times = np.concatenate([np.arange(len(s)) for s in series])
    return panel(pl.DataFrame({"unique_id": ids, "ds": times, "y": np.concatenate(series)}), season=2)


def test_by_hand():
    assert mae.per_series(TRUTH, FORECAST).tolist() == [1.5, 3.0]  # (1 + 2) / 2; the missing step is left out
    assert mae.score(TRUTH, FORECAST) == 2.25
    assert rmse.score(TRUTH, FORECAST) == pytest.approx(np.sqrt((2.5 + 9) / 2))
    assert smape.per_series(TRUTH, FORECAST) == pytest.approx([(200 / 3 + 200 * 2 / 6) / 2, 200 * 3 / 17])
    assert pinball.score(TRUTH, FORECAST, 0.9) == pytest.approx(((0.1 * 1 + 0.1 * 2) / 2 + 0.9 * 3) / 2)
    assert coverage.score(TRUTH, FORECAST - 1, FORECAST + 1) == pytest.approx((1 / 2 + 0) / 2)
    assert owa.score(10, 1, 20, 4) == pytest.approx(0.5 * (0.5 + 0.25))


def test_smape_of_two_zeros_is_zero():
    assert smape.score(np.zeros((1, 2)), np.array([[0.0, 1.0]])) == 100.0


def test_mase_scale_by_hand():
    scale = mase.scale(histories([1.0, 5.0, 4.0, NAN, 6.0], [7.0] * 5, [1.0, 2.0], [NAN] * 4), 2)
    assert scale[0] == pytest.approx((3 + 2) / 2)  # |4-1|, |6-4|; the pair with the missing value is left out
    assert np.isnan(scale[1:]).all()  # a constant, too short, nothing observed


def test_series_without_a_scale_are_left_out_and_counted():
    data = histories([1.0, 5.0, 4.0, 6.0], [7.0] * 4)
    truth, forecast = np.array([[4.0, 4.0], [7.0, 7.0]]), np.array([[6.0, 4.0], [0.0, 0.0]])
    scale = mase.scale(data, 2)
    assert mase.score(truth, forecast, scale) == pytest.approx(1 / 2)
    assert mase.left_out(truth, scale) == 1
    assert "1 of 2 series" in metrics.notes(truth, data)[0]


def test_nothing_known_is_nan_and_warns_of_nothing():
    unknown = np.full((2, 3), NAN)
    with np.errstate(all="raise"):
        for name in ("mae", "rmse", "smape"):
            assert np.isnan(catalog.load("metrics", name).score(unknown, np.zeros((2, 3))))


def test_the_scores_of_all_forecasts_together():
    data = histories([1.0, 5.0, 4.0, 6.0], [2.0, 3.0, 9.0, 1.0])
    truth = np.array([[4.0, 4.0], [7.0, 7.0]])
    given = {"naive2": truth + 2, "saiki": truth + 1, "saiki-lo-80": truth - 1, "saiki-hi-80": truth + 3}
    scores = metrics.forecast_scores(given, truth, data, levels=[80])
    assert set(scores) == {"naive2", "saiki"}
    assert scores["naive2"]["owa"] == pytest.approx(1)
    assert scores["saiki"]["owa"] < 1
    assert scores["saiki"]["coverage-80"] == 1
    assert scores["saiki"]["pinball"] == pytest.approx((0.1 * 1 + 0.1 * 3 + 0.5 * 1) / 3)
    assert "coverage-80" not in scores["naive2"]


@given(numbers, numbers, st.floats(0.001, 1000))
def test_units(truth, forecast, factor):
    assert mae.score(factor * truth, factor * forecast) == pytest.approx(factor * mae.score(truth, forecast), abs=1e-6)
    assert rmse.score(factor * truth, factor * forecast) == pytest.approx(
        factor * rmse.score(truth, forecast), abs=1e-6
    )


@given(numbers, numbers)
def test_bounds_and_symmetry(truth, forecast):
    assert 0 <= smape.score(truth, forecast) <= 200 + 1e-9
    assert smape.score(truth, forecast) == pytest.approx(smape.score(forecast, truth))
    assert mae.score(truth, truth) == rmse.score(truth, truth) == smape.score(truth, truth) == 0
    assert pinball.score(truth, forecast, 0.5) == pytest.approx(mae.score(truth, forecast) / 2)
    assert mae.score(truth, forecast) <= rmse.score(truth, forecast) * (1 + 1e-9)


@given(numbers, numbers)
def test_the_independent_version_agrees_and_a_wrong_one_does_not(truth, forecast):
    def smape_by_loop(factor):
        rows = []
        for row in range(len(truth)):
            terms = []
            for y, f in zip(truth[row], forecast[row], strict=True):
                terms.append(0.0 if y == f == 0 else factor * abs(y - f) / (abs(y) + abs(f)))
            rows.append(sum(terms) / len(terms))
        return sum(rows) / len(rows)

    assert smape.score(truth, forecast) == pytest.approx(smape_by_loop(200))
    if (truth != forecast).any():
        assert smape.score(truth, forecast) != pytest.approx(smape_by_loop(100))


def test_the_best_pinball_is_at_the_quantile():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((1, 20_000))
    losses = {q: pinball.score(truth, np.full_like(truth, q), 0.9) for q in (0.8, 1.2816, 1.8)}
    assert min(losses, key=losses.get) == 1.2816
