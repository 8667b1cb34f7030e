"""Back-tests: cutoffs, refits, tables and frames; and intervals of any level."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.baselines import seasonal_naive
from saiki.errors import ModelError, OptionError
from saiki.metrics import mase
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "steps": 12, "width": 16, "layers": 1, "batch": 32, "season": 12}
NAMES = ["seasonal_naive", "last_value"]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toy(0, series=4, steps=150)


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("forecast", table.filter(pl.col("ds") < 120), refit=False, **QUICK)


def test_a_back_test_is_a_forecast_from_each_cutoff(model, table):
    found = model.cross_validation(table, windows=3, step=4, baselines=NAMES)
    assert found.columns == ["unique_id", "ds", "cutoff", "y", "saiki", *NAMES]
    assert found["cutoff"].unique().sort().to_list() == [135, 139, 143]
    assert len(found) == 4 * 3 * 6
    for cutoff in (135, 143):
        part = found.filter(pl.col("cutoff") == cutoff)
        alone = model.predict(table.filter(pl.col("ds") <= cutoff))
        np.testing.assert_allclose(part["saiki"], alone["saiki"], rtol=1e-6)
        assert part["ds"].to_list() == alone["ds"].to_list()
    known = found.join(table, on=["unique_id", "ds"])
    assert (known["y"] == known["y_right"]).all()


def test_scores_by_step_cutoff_and_series_come_from_that_frame(model, table):
    frame = model.cross_validation(table, windows=3, step=4, baselines=NAMES)
    found = model.evaluate(table, windows=3, step=4, baselines=NAMES)
    assert list(found.scores) == ["saiki", *NAMES]
    first = table.filter(pl.col("ds") <= 135)
    scale = dict(
        zip(["series-0", "series-1", "series-2", "series-3"], mase.scale(model.task.read(first), 12), strict=True)
    )
    error = frame.with_columns(
        e=(pl.col("y") - pl.col("seasonal_naive")).abs() / pl.col("unique_id").replace_strict(scale)
    )
    assert found.scores["seasonal_naive"]["mase"] == pytest.approx(error["e"].mean())
    by_step = [row["seasonal_naive"] for row in found.details["by_horizon"]]
    assert by_step == pytest.approx(
        error.with_columns(h=pl.col("ds") - pl.col("cutoff"))
        .group_by("h")
        .agg(pl.col("e").mean())
        .sort("h")["e"]
        .to_list()
    )
    assert [row["cutoff"] for row in found.details["by_cutoff"]] == ["135", "139", "143"]
    assert len(found.details["by_series"]) == 4


def test_a_refit_sees_nothing_after_its_cutoff(model, table):
    """What comes after the first cutoff is changed: the first forecast stays, a later one, trained on it, does not."""
    changed = table.with_columns(y=pl.when(pl.col("ds") > 137).then(pl.col("y") * 3).otherwise(pl.col("y")))
    given = {"windows": 2, "step": 6, "refit": "every", "baselines": []}
    one, other = (model.cross_validation(t, **given).partition_by("cutoff") for t in (table, changed))
    assert one[0]["saiki"].equals(other[0]["saiki"])
    assert not one[1]["saiki"].equals(other[1]["saiki"])


@pytest.mark.slow
def test_a_refit_does_not_even_settle_intervals_and_shares_on_what_comes_after(table):
    """Two models whose training data differ after the first cutoff say the same there, intervals included, once trained anew."""
    calm = toy(0, series=24, steps=100)  # so many that Theta may have a share
    wild = calm.with_columns(y=pl.when(pl.col("ds") >= 80).then(pl.col("y").abs() * 5 + 1).otherwise(pl.col("y")))
    given = {"windows": 1, "step": 6, "refit": "every", "baselines": [], "level": [80]}
    early = calm.filter(pl.col("ds") < 80)
    models = [saiki.train("forecast", data, log=False, **QUICK) for data in (calm, wild)]
    one, other = (model.cross_validation(early, **given) for model in models)
    assert one.equals(other)
    before = [model.predict(early, level=80) for model in models]
    assert not before[0].equals(before[1])
    assert any("know nothing after their cutoff" in note for note in models[0].evaluate(early, **given).notes)
    assert models[0].predict(early, level=80).equals(before[0])  # what the model itself has settled stays


def test_the_table_of_one_cutoff_is_that_of_the_scores(model, table, tmp_path):
    from saiki.cli import run

    model.save(tmp_path / "m")
    table.write_csv(tmp_path / "all.csv")
    table.filter(pl.col("ds") < 144).write_csv(tmp_path / "history.csv")
    table.filter(pl.col("ds") >= 144).write_csv(tmp_path / "truth.csv")
    model, out = str(tmp_path / "m"), [str(tmp_path / f"{n}.csv") for n in range(3)]
    assert run(["evaluate", model, str(tmp_path / "all.csv"), "--out", out[0]]) == 0
    apart = ["--history", str(tmp_path / "history.csv")]
    assert run(["evaluate", model, str(tmp_path / "truth.csv"), *apart, "--out", out[1]]) == 0
    assert run(["evaluate", model, str(tmp_path / "all.csv"), "--windows", "1", "--out", out[2]]) == 0
    whole, history, rolled = (pl.read_csv(path) for path in out)
    assert whole.columns[:5] == ["unique_id", "ds", "cutoff", "y", "saiki"]
    assert whole.equals(history)
    assert whole.select(rolled.columns).equals(rolled)


def test_what_training_has_seen_is_said(table):
    seen = saiki.train("forecast", table, refit=False, **QUICK)
    assert any("refit every" in n for n in seen.evaluate(table, windows=2, baselines=NAMES).notes)


def test_baselines_are_chosen(model, table):
    assert list(model.evaluate(table, baselines=["theta"]).scores) == ["saiki", "theta"]
    with pytest.raises(OptionError, match="seasonal_naive"):
        model.evaluate(table, baselines=["seasonal_naiv"])
    for wrong in ({"windows": 0}, {"step": -1}, {"refit": "sometimes"}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            model.evaluate(table, **wrong)


def test_frames_come_back_in_their_own_library(model, table):
    pandas = pytest.importorskip("pandas")
    arrow = pytest.importorskip("pyarrow")
    expected = model.cross_validation(table, windows=2, baselines=NAMES)
    for frame, kind in ((table.to_pandas(), pandas.DataFrame), (table.to_arrow(), arrow.Table)):
        found = model.cross_validation(frame, windows=2, baselines=NAMES)
        assert isinstance(found, kind)
        for name in ("saiki", "y", "cutoff"):
            assert np.array_equal(np.asarray(found[name]), expected[name].to_numpy())


def test_any_level_after_training(model, table):
    answer = model.predict(table, level=[50, 90])
    values = answer.select("saiki-lo-90", "saiki-lo-50", "saiki", "saiki-hi-50", "saiki-hi-90").to_numpy()
    assert (np.diff(values, axis=1) >= 0).all()
    assert {"coverage-50", "width-90"} <= model.evaluate(table, level=[50, 90]).scores["saiki"].keys()


@pytest.mark.parametrize("series", [3, 20])
def test_intervals_of_few_series_reach_as_far_below_as_above(series):
    """One year above the forecast says little of the next; many series say on which side errors lie."""
    y = np.random.default_rng(0).gumbel(size=(series, 60))
    long = {"unique_id": np.repeat(np.arange(series), 60), "ds": np.tile(np.arange(60), series), "y": y.ravel()}
    model = saiki.train("forecast", pl.DataFrame(long), **QUICK)
    low, high = model.task.calibration.ends(80)
    assert np.array_equal(-low, high) == (series < 20)


def test_without_held_out_errors_other_levels_are_refused(table):
    bare = saiki.train("forecast", table, holdout="none", level=[80], **QUICK)
    assert "saiki-lo-80" in bare.predict(table).columns
    with pytest.raises(ModelError, match="holdout"):
        bare.predict(table, level=[90])


@pytest.mark.slow
def test_intervals_cover_what_they_promise():
    """Exchangeable noise around a known season: 80 and 95 % of what is to come lies inside, and most of 40 paths too."""
    rng = np.random.default_rng(3)
    t = np.arange(96)
    y = 20 + 5 * np.sin(2 * np.pi * t / 12) + rng.normal(size=(600, 96))
    long = pl.DataFrame({"unique_id": np.repeat(np.arange(600), 96), "ds": np.tile(t, 600), "y": y.ravel()})
    given = {"horizon": 6, "season": 12, "steps": 120, "width": 16, "layers": 1}
    model = saiki.train("forecast", long.filter(pl.col("ds") < 90), **given)
    scores = model.evaluate(long, level=[80, 95], baselines=[]).scores["saiki"]
    assert 0.78 <= scores["coverage-80"] <= 0.82, scores
    assert 0.93 <= scores["coverage-95"] <= 0.97, scores
    answer = model.predict(long.filter(pl.col("ds") < 90), samples=40, level=[80])
    paths = answer.select(pl.selectors.starts_with("saiki-sample-")).to_numpy()
    low, high = answer["saiki-lo-80"].to_numpy()[:, None], answer["saiki-hi-80"].to_numpy()[:, None]
    assert paths.shape[1] == 40
    assert 0.7 <= ((low <= paths) & (paths <= high)).mean() <= 0.9


def test_the_back_test_baselines_are_those_of_the_history(model, table):
    frame = model.cross_validation(table, windows=1, baselines=["seasonal_naive"])
    one = frame.filter(pl.col("unique_id") == "series-1")["seasonal_naive"].to_numpy()
    history = table.filter((pl.col("unique_id") == "series-1") & (pl.col("ds") < 144))["y"].to_numpy()
    np.testing.assert_allclose(one, seasonal_naive.forecast(history, 6, 12))


def test_series_too_short_for_a_back_test_are_told_of(model, table):
    short = table.filter((pl.col("unique_id") != "series-1") | (pl.col("ds") < 4))
    found = model.evaluate(short, windows=2, step=1, baselines=["last_value"])
    assert any("1 of" in note and "too short for any window" in note for note in found.notes)
    assert not any("too short for any window" in note for note in model.evaluate(table, windows=2, step=1).notes)
