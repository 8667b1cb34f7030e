"""Theta's share: found where it helps, none where it does not, the same wherever a forecast is asked for."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.baselines import theta
from saiki.network.scaling import FLOOR
from saiki.tasks._theta_share import SHARES, chosen
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "steps": 10, "width": 8, "layers": 1, "batch": 16}


def wandering(series: int = 24, steps: int = 80, positive: bool = True) -> pl.DataFrame:
    """Random walks with a drift of their own and noise: nothing to learn that Theta does not know."""
    rng = np.random.default_rng(0)
    walk = (0.02 * rng.normal(size=(series, 1)) + 0.03 * rng.normal(size=(series, steps))).cumsum(1)
    walk += 0.05 * rng.normal(size=walk.shape)
    y = np.exp(walk) if positive else walk
    names = np.repeat([f"s{k:02d}" for k in range(series)], steps)
    return pl.DataFrame({"unique_id": names, "ds": np.tile(np.arange(steps), series), "y": y.ravel()})


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return wandering()


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("forecast", table, **QUICK)


def test_many_series_say_more_than_few():
    bowl = 1 + (SHARES - 0.2) ** 2
    assert chosen(bowl, 10_000) == pytest.approx(0.2)
    assert 0.2 < chosen(bowl, 20) < 0.5


def test_none_where_it_does_not_help():
    assert chosen(1 + SHARES, 400) == 0.0
    assert chosen(1 - 0.001 * SHARES * (1 - SHARES), 10**6) == 0.0  # hardly worth the work
    assert chosen(np.full(len(SHARES), np.nan), 400) == 0.0


def test_it_has_a_share_of_series_that_wander(model, table):
    assert model.task.theta.share > 0.3
    assert model.task.theta.memory == 80 > model.task.plan.history
    alone = saiki.train("forecast", table, theta=False, **QUICK)
    assert alone.task.theta.share == 0
    found = [np.log(m.predict(table)["saiki"].to_numpy().reshape(24, 6)) for m in (alone, model)]
    y = table["y"].to_numpy().reshape(24, 80)
    answer = np.log(np.maximum(theta.rows(y, 6, model.task.season), FLOOR * y.min(1, keepdims=True)))
    share = model.task.theta.share
    np.testing.assert_allclose(found[1], found[0] + share * (answer - found[0]), rtol=1e-5, atol=1e-6)
    assert model.validation.scores["saiki"]["mase"] < alone.validation.scores["saiki"]["mase"]


@pytest.mark.slow
def test_none_of_series_that_it_does_not_understand():
    data = toy(0, series=24, steps=240)
    model = saiki.train("forecast", data, season=12, **QUICK | {"steps": 150, "width": 32, "horizon": 12})
    assert model.task.theta.share == 0


@pytest.mark.slow
def test_a_series_without_a_scale_does_not_decide_for_the_others():
    data = toy(0, series=24, steps=240)
    constant = pl.DataFrame({"unique_id": ["flat"] * 240, "ds": range(240), "y": [1e9] * 240})
    data = pl.concat([data, constant.cast(data.schema)])  # pyright: ignore[reportArgumentType]
    model = saiki.train("forecast", data, season=12, **QUICK | {"steps": 150, "width": 32, "horizon": 12})
    assert model.task.theta.share == 0


@pytest.mark.parametrize("place", [3, 79])
def test_a_value_without_a_logarithm_at_predict(model, place):
    y = np.linspace(10, 0.5, 80)
    y[place] = 0
    found = model.predict(pl.DataFrame({"unique_id": ["s"] * 80, "ds": range(80), "y": y}))["saiki"]
    assert (found > 0.01).all()


def test_few_series_have_it_where_it_is_asked_for():
    few = wandering(series=4)
    assert saiki.train("forecast", few, **QUICK, refit=False).task.theta.share == 0
    assert saiki.train("forecast", few, theta=True, **QUICK, refit=False).task.theta.share > 0


def test_saved_streamed_and_rolled_alike(model, table, tmp_path):
    model.save(tmp_path / "m")
    stored = json.loads((tmp_path / "m" / "config.json").read_text())["fitted"]["theta"]
    assert stored == {"share": model.task.theta.share, "memory": 80}
    loaded = saiki.load(tmp_path / "m")
    whole = loaded.predict(table, level=[80], samples=2)
    assert whole.equals(model.predict(table, level=[80], samples=2))
    assert (whole["saiki-lo-80"] <= whole["saiki"]).all()
    stream, one = loaded.stream(), pl.col("unique_id") == "s03"
    for row in table.filter(one).iter_rows(named=True):
        (last,) = stream.push(row)
    np.testing.assert_allclose(last["saiki"], whole.filter(one)["saiki"], rtol=1e-6)
    assert "theta" in dict(loaded.facts())
    cut = table.filter(pl.col("ds") < 74)
    rolled = loaded.cross_validation(table, windows=1, baselines=[])
    np.testing.assert_allclose(rolled["saiki"], loaded.predict(cut)["saiki"], rtol=1e-6)
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    assert loaded.predict(shuffled)["saiki"].sort().equals(loaded.predict(table)["saiki"].sort())


def test_adding_a_series_changes_no_other(model, table):
    alone = model.predict(table.filter(pl.col("unique_id") == "s05"))["saiki"]
    together = model.predict(table).filter(pl.col("unique_id") == "s05")["saiki"]
    np.testing.assert_allclose(alone, together, rtol=1e-6)


def test_values_of_any_sign_and_gaps():
    data = wandering(positive=False)
    holes = np.random.default_rng(1).random(len(data)) < 0.1
    data = data.with_columns(y=pl.when(pl.Series(holes)).then(None).otherwise(pl.col("y")))
    model = saiki.train("forecast", data, **QUICK)
    assert model.task.theta.share > 0
    assert model.predict(data)["saiki"].is_finite().all()


def test_anomalies_and_a_model_to_go_on_from(model, table, tmp_path):
    found = model.predict(table, anomalies=True)
    assert found["saiki"].is_finite().sum() > 1000
    model.save(tmp_path / "m")
    on = saiki.train("forecast", table, from_=tmp_path / "m", steps=2)
    assert on.task.theta.share == model.task.theta.share


def test_models_from_before_have_none(model, tmp_path):
    stored = model.task.to_json()
    del stored["theta"]
    assert type(model.task).from_json(model.task.options, stored).theta.share == 0
