"""The task forecast: the planted answer is found, a stream equals predict, every option has its effect."""

from __future__ import annotations

import copy
import warnings
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import saiki
from saiki.cli import run
from saiki.data.frames import write_frame
from saiki.errors import DataError, ModelError, OptionError, SaikiWarning
from saiki.network.scaling import window_scale
from saiki.tasks import _forecast_columns
from saiki.tasks.forecast import Forecast, toy

QUICK = {"horizon": 6, "steps": 12, "width": 16, "layers": 1, "batch": 32}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toy(0, series=4, steps=150)


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("forecast", table, level=[80, 95], **QUICK)


@pytest.mark.slow
def test_the_planted_answer_beats_every_baseline():
    model = saiki.train("forecast", toy(1, series=8, steps=400), horizon=12, steps=150, width=48, batch=64, seed=1)
    assert model.validation.beats_baselines, model.validation.scores


def test_quantiles_never_cross_and_hold_the_point(model, table):
    answer = model.predict(table)
    columns = ["saiki-lo-95", "saiki-lo-80", "saiki", "saiki-hi-80", "saiki-hi-95"]
    values = answer.select(columns).to_numpy()
    assert (np.diff(values, axis=1) > 0).all()


def test_the_answer_has_every_series_and_the_times_after_it(model, table):
    answer = model.predict(table)
    assert answer.columns[:3] == ["unique_id", "ds", "saiki"]
    assert answer.group_by("unique_id").len()["len"].to_list() == [6] * 4
    assert answer["ds"].unique().sort().to_list() == list(range(150, 156))


def test_frames_come_back_in_their_own_library(model, table):
    pandas = pytest.importorskip("pandas")
    arrow = pytest.importorskip("pyarrow")
    expected = model.predict(table)["saiki"].to_numpy()
    for frame, kind in ((table.to_pandas(), pandas.DataFrame), (table.to_arrow(), arrow.Table)):
        found = model.predict(frame)
        assert isinstance(found, kind)
        assert np.array_equal(np.asarray(found["saiki"]), expected)


def test_the_order_of_rows_does_not_matter(model, table):
    shuffled = table.sample(fraction=1, shuffle=True, seed=0)
    assert model.predict(shuffled).equals(model.predict(table))


@pytest.mark.parametrize("name", ["series-0", "series-2"])
def test_other_series_do_not_matter(model, table, name):
    alone = model.predict(table.filter(pl.col("unique_id") == name))
    among = model.predict(table).filter(pl.col("unique_id") == name)
    columns = ["saiki", "saiki-lo-80", "saiki-hi-95"]
    np.testing.assert_allclose(alone.select(columns), among.select(columns), rtol=1e-6)


def test_what_lies_before_the_window_does_not_matter(model, table):
    history = model.task.plan.history
    short = table.filter(pl.col("ds") >= 150 - history)
    assert np.allclose(model.predict(short)["saiki"], model.predict(table)["saiki"], rtol=1e-6)


def test_the_scale_of_a_series_goes_through(model, table):
    """Windows are in their own units: a thousand times the values, a thousand times the forecast."""
    bigger = table.with_columns(pl.col("y") * 1000)
    assert np.allclose(model.predict(bigger)["saiki"], 1000 * model.predict(table)["saiki"], rtol=1e-3)


def covariate_table(seed: int = 0, steps: int = 120) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {"unique_id": name, "ds": t, "y": rng.normal(), "heat": rng.normal(), "kind": rng.choice(["u", "v"]).item(), "city": city}
        for name, city in (("a", "x"), ("b", "y"))
        for t in range(steps)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def push_all(stream, rows) -> list[list[dict]]:
    return [stream.push(row) for row in rows]


@pytest.mark.parametrize("missing", [(), (20, 21, 60)])
def test_a_stream_equals_predict_on_the_prefix(missing):
    table = covariate_table()
    model = saiki.train("forecast", table, past=["heat", "kind"], static=["city"], level=[80], season=12, **QUICK)
    one = table.filter((pl.col("unique_id") == "b") & ~pl.col("ds").is_in(missing))
    found = push_all(model.stream(), one.iter_rows(named=True))
    for rows in (3, 10, 30, 61, len(one)):
        expected = model.predict(one.head(rows))
        (answer,) = found[rows - 1]
        assert answer["ds"] == expected["ds"].to_list()
        for column in ("saiki", "saiki-lo-80", "saiki-hi-80"):
            assert np.allclose(answer[column], expected[column], rtol=1e-6, atol=1e-9, equal_nan=True)  # NaN: few rows


def test_data_as_steady_as_the_frequency_of_a_power_grid_keep_their_own_spread():
    """Moved by 1000 times its spread, a series is forecast as before: a window's spread is not taken for rounding."""
    table = toy(1, series=4, steps=150)
    spread = float(table["y"].to_numpy().std())
    lifted = table.with_columns(y=pl.col("y") + 1e4 * spread)
    near, far = (saiki.train("forecast", t, **QUICK | {"log": False}) for t in (table, lifted))
    away = far.predict(lifted)["saiki"].to_numpy() - 1e4 * spread - near.predict(table)["saiki"].to_numpy()
    assert np.abs(away).max() < 0.02 * spread


@pytest.mark.parametrize("asked", [{}, {"past": ["z"]}, {"id": None}])
def test_a_stream_that_begins_after_a_table_is_one_that_was_pushed_its_rows(asked):
    rows = toy(3, series=3, steps=60).filter(pl.int_range(pl.len()) % 7 != 3)
    rows = rows.with_columns(z=pl.col("y").round(0).cast(pl.String), k=pl.col("unique_id"))
    if "id" in asked:
        rows = rows.filter(pl.col("unique_id") == rows["unique_id"][0])
    model = saiki.train(
        "forecast", rows, horizon=4, steps=3, time="ds", target="y", **{"id": "unique_id", "static": ["k"], **asked}
    )
    before, after = rows.filter(pl.col("ds") < 50), rows.filter(pl.col("ds") >= 50)
    pushed, begun = model.stream(), model.stream(history=before.sample(fraction=1, shuffle=True, seed=1))
    push_all(pushed, before.iter_rows(named=True))
    assert push_all(begun, after.iter_rows(named=True)) == push_all(pushed, after.iter_rows(named=True))
    with pytest.raises(DataError, match="rows already"):
        begun.begin(before)


def test_streams_of_several_ids_do_not_mix(model, table):
    stream = model.stream()
    table = table.filter(pl.col("ds") < 40)
    rows = table.sort("ds", "unique_id").to_dicts()
    last = {row["unique_id"]: stream.push(row)[0] for row in rows}
    expected = model.predict(table)
    for name, answer in last.items():
        assert np.allclose(answer["saiki"], expected.filter(pl.col("unique_id") == name)["saiki"], rtol=1e-5)


def test_series_named_by_two_columns():
    table = toy(0, series=4, steps=40).with_columns(
        store=pl.col("unique_id").rank("dense") % 2, item=pl.col("unique_id").rank("dense").cast(pl.Int64) // 2
    )
    table = table.with_columns(store=pl.col("store").cast(pl.Int64)).drop("unique_id")
    model = saiki.train("forecast", table, id="store/item", horizon=3, steps=2, width=4)
    answer, stream = model.predict(table), model.stream()
    assert answer["store/item"].unique().sort().to_list() == ["0/1", "0/2", "1/0", "1/1"]
    last = {f"{row['store']}/{row['item']}": stream.push(row)[0] for row in table.iter_rows(named=True)}
    for name, found in last.items():
        assert found["store/item"] == name
        assert np.allclose(found["saiki"], answer.filter(pl.col("store/item") == name)["saiki"], rtol=1e-5)


def test_a_stream_refuses_time_that_runs_backwards(model):
    stream = model.stream()
    stream.push({"unique_id": "a", "ds": 5, "y": 1.0})
    with pytest.raises(DataError, match="does not come after"):
        stream.push({"unique_id": "a", "ds": 5, "y": 2.0})


@pytest.mark.parametrize(
    ("row", "says"),
    [({"unique_id": "a", "ds": 1}, "no 'y'"), ({"ds": 1, "y": 2.0}, "no 'unique_id'"),
     ({"unique_id": "a", "ds": 1, "y": "two"}, "expected a number"), ({"unique_id": "a", "ds": 1, "y": float("inf")}, "infinite")],
)  # fmt: skip
def test_a_bad_row_is_one_line(model, row, says):
    with pytest.raises(DataError, match=says):
        model.stream().push(row)


def test_columns_known_ahead_forbid_a_stream_and_are_needed_ahead():
    table = covariate_table()
    model = saiki.train("forecast", table, future=["heat"], season=12, **QUICK)
    with pytest.raises(ModelError, match="--future heat"):
        model.stream()
    with pytest.raises(DataError, match="must be known 6 steps ahead"):
        model.predict(table)
    ahead = [
        {"unique_id": n, "ds": t, "y": None, "heat": 0.5, "kind": "u", "city": "x"}
        for n in "ab"
        for t in range(120, 126)
    ]
    known = pl.concat([table, pl.DataFrame(ahead, schema=table.schema)])
    assert model.predict(known)["ds"].unique().sort().to_list() == list(range(120, 126))


def test_several_targets_of_a_wide_table():
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"date": np.arange(100), "p": rng.normal(size=100), "q": rng.normal(size=100) + 9})
    model = saiki.train("forecast", table, target=["p", "q"], time="date", season=1, **QUICK)
    answer = model.predict(table)
    assert answer["unique_id"].unique(maintain_order=True).to_list() == ["p", "q"]
    pushed = push_all(model.stream(), table.iter_rows(named=True))[-1]
    assert np.allclose([row["saiki"] for row in pushed], answer["saiki"].to_numpy().reshape(2, 6), rtol=1e-5)


def test_an_array_is_one_series_per_row():
    rows = np.random.default_rng(0).random((20, 11))
    model = saiki.train("forecast", rows, horizon=1, history=10, scale="none", loss="mse", holdout="none", steps=5)
    assert model.validation is None
    assert len(model.predict(rows)) == 20


@pytest.mark.parametrize(
    "awkward",
    [
        pl.DataFrame({"ds": range(40), "y": [3.0] * 40}),
        pl.DataFrame({"ds": range(40), "y": [0.0] * 40}),
        pl.DataFrame({"ds": range(40), "y": [None if t % 3 else float(t) for t in range(40)]}),
        pl.DataFrame({"unique_id": ["a"] * 40 + ["b"] * 3 + ["c"], "ds": [*range(40), *range(3), 0], "y": [1.5] * 44}),
        pl.DataFrame({"unique_id": ["a"] * 40 + ["b"] * 40, "ds": [*range(40)] * 2, "y": [None] * 40 + [1.0, 2.0] * 20}),
        pl.DataFrame({"ds": range(40), "y": [1e9 + t % 5 for t in range(40)]}),
        pl.DataFrame({"ds": range(40), "y": [(-1.0) ** t for t in range(40)]}),
    ],
    ids=["constant", "zeros", "holes", "lengths", "all-missing", "high-level", "signs"],
)  # fmt: skip
def test_awkward_series_train_and_predict(awkward):
    model = saiki.train("forecast", awkward, **QUICK)
    answer = model.predict(awkward)
    ids = 1 if "unique_id" not in awkward.columns else awkward["unique_id"].n_unique()
    assert len(answer) == 6 * ids
    finite = answer["saiki"].fill_null(np.nan).is_finite().to_numpy().reshape(ids, 6)
    values = awkward if "unique_id" in awkward.columns else awkward.with_columns(unique_id=pl.lit("y"))
    known = values.group_by("unique_id", maintain_order=True).agg(pl.col("y").count())["y"].to_numpy() > 0
    assert (finite == known[:, None]).all()


def test_a_constant_is_forecast_as_itself():
    table = pl.DataFrame({"ds": range(60), "y": [42.0] * 60})
    answer = saiki.train("forecast", table, **QUICK).predict(table)
    assert np.allclose(answer["saiki"], 42, rtol=5e-3)


def test_history_and_truth_apart_or_together_score_alike(model, table):
    together = model.evaluate(table)
    apart = model.evaluate(table.filter(pl.col("ds") >= 144), history=table.filter(pl.col("ds") < 144))
    assert together.scores.keys() == apart.scores.keys()
    for name, found in together.scores.items():
        assert found == pytest.approx(apart.scores[name], nan_ok=True)


def test_the_future_is_never_seen(table):
    """Values that are held out change nothing but the validation score, and the share of the linear forecast, which it settles."""
    changed = table.with_columns(pl.when(pl.col("ds") >= 144).then(pl.col("y") * 9).otherwise(pl.col("y")).alias("y"))
    weights = [
        saiki.train("forecast", frame, season=12, patience=99, validations=1, refit=False, **QUICK).network.state_dict()
        for frame in (table, changed)
    ]
    assert weights[0].pop("linear.share").isfinite()
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"horizn": 3}, "did you mean 'horizon'"),
        ({"horizon": 0}, "horizon"),
        ({"level": [120]}, "percentages"),
        ({"cell": "gruu"}, "did you mean 'gru'"),
        ({"loss": "oaw"}, "objective"),
        ({"nonlinearity": "relu"}, "has no meaning for the cell 'gru'"),
        ({"history": 30, "patch": 7}, "multiple"),
        ({"log": True}, "positive"),
        ({"copies": 99}, "history"),
    ],
)
def test_bad_options_are_one_line(given, says):
    table = toy(0, series=2, steps=100).with_columns(pl.col("y") - 1e4)
    with pytest.raises((OptionError, DataError), match=says) as error:
        saiki.train("forecast", table, **(QUICK | given))
    assert "\n" not in str(error.value)


def test_option_objects_and_flat_names_are_the_same():
    table = toy(0, series=2, steps=100)
    flat = saiki.train("forecast", table, **QUICK)
    objects = {"task_options": Forecast(horizon=6), "network": saiki.Network(width=16, layers=1)}
    whole = saiki.train("forecast", table, training=saiki.Training(steps=12, batch=32), **objects)
    assert flat.predict(table).equals(whole.predict(table))


def test_nothing_to_learn_from_is_one_line():
    table = pl.DataFrame({"ds": range(40), "y": [None] * 40}, schema={"ds": pl.Int64, "y": pl.Float64})
    with pytest.raises(DataError, match="two values"):
        saiki.train("forecast", table, **QUICK)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"season": 10**6}, "longer than the longest series"),
        ({"history": 10**5}, "longer than the longest series"),
        ({"device": "cuda:7"}, "cannot be used here"),
        ({"device": "toaster"}, "cannot be used here"),
        ({"seed": 10**20}, "seed"),
        ({"target": 5}, "name of a column"),
    ],
)
def test_impossible_values_are_one_line(given, says):
    with pytest.raises((OptionError, DataError), match=says) as error:
        saiki.train("forecast", toy(0, series=2, steps=100), **(QUICK | given))
    assert "\n" not in str(error.value)


def test_truth_before_its_history_is_refused(model, table):
    early, late = table.filter(pl.col("ds") < 120), table.filter(pl.col("ds") >= 120)
    with pytest.raises(DataError, match="does not come after"):
        model.evaluate(early, history=late)
    with pytest.raises(DataError, match="in the 6 steps after its history"):
        model.evaluate(late.with_columns(pl.col("unique_id") + "-else"), history=early)


def test_a_shorter_step_than_in_training_is_refused():
    days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 4, 9), "1d", eager=True)
    model = saiki.train(
        "forecast", pl.DataFrame({"ds": days, "y": np.random.default_rng(0).random(len(days))}), **QUICK
    )
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 5), "1h", eager=True)
    with pytest.raises(DataError, match="h apart"):
        model.predict(pl.DataFrame({"ds": hours, "y": np.random.default_rng(0).random(len(hours))}))


def test_a_stream_reads_numbers_as_a_table_does(model):
    rows = [{"unique_id": "a", "ds": t, "y": y} for t, y in enumerate([True, 1e-320, None, 2])]
    found = push_all(model.stream(), rows)[-1][0]["saiki"]
    expected = model.predict(pl.DataFrame([row | {"y": None if row["y"] is None else float(row["y"])} for row in rows]))
    assert np.allclose(found, expected["saiki"])
    with pytest.raises(DataError, match=r"beyond 1e\+140"):
        model.stream().push({"unique_id": "a", "ds": 1, "y": 10**400})


def test_the_first_row_streams_and_predicts_alike(model):
    row = {"unique_id": "a", "ds": 3, "y": 2.5}
    (answer,) = model.stream().push(row)
    assert np.allclose(answer["saiki"], model.predict(pl.DataFrame([row]))["saiki"])


def test_sparse_rows_and_a_first_row_off_the_grid_stream_as_they_are_predicted(model):
    for times in ([1, 2, 9, 10, 11, 12, 13], [0, 5, 6, 7, 8]):  # too sparse for a grid at first, then dense enough
        rows = [{"unique_id": "a", "ds": t, "y": 3.0 + t % 4} for t in times]
        for count, (answer,) in enumerate(push_all(model.stream(), rows), 1):
            expected = model.predict(pl.DataFrame(rows[:count]))
            # two rows that differ little have a small spread, which makes rounding in single precision large
            np.testing.assert_allclose(answer["saiki"], expected["saiki"], rtol=1e-5)
    days = pl.Series([d for w in range(20) for d in range(7 * w, 7 * w + 5)]) * 86_400_000_000
    dated = pl.DataFrame({"ds": days.cast(pl.Datetime("us")), "y": np.random.default_rng(0).random(100) + 1})
    dated = dated.with_columns(pl.col("ds") + pl.duration(days=4))  # from a Monday on
    business = saiki.train("forecast", dated, **QUICK)
    assert business.task.frequency.name == "B"
    first = dated.head(1).with_columns(pl.col("ds") - pl.duration(days=2))  # a Saturday
    off = pl.concat([first, dated.head(12)])
    for count, (answer,) in enumerate(push_all(business.stream(), off.iter_rows(named=True)), 1):
        np.testing.assert_allclose(answer["saiki"], business.predict(off.head(count))["saiki"], rtol=1e-6)


def test_a_row_that_cannot_be_used_leaves_the_stream_as_it_was():
    table = covariate_table()
    model = saiki.train("forecast", table, past=["heat", "kind"], static=["city"], season=12, **QUICK)
    good = table.filter(pl.col("unique_id") == "b").head(12).to_dicts()
    bad = good[6] | {"heat": "n/a"}
    other = good[6] | {"city": "z"}
    date = good[6] | {"ds": "2024-01-01"}
    stream, plain = model.stream(), model.stream()
    for row, says in ((date, "an integer, as in training"), (good[6] | {"unique_id": "new", "heat": "n/a"}, "number")):
        with pytest.raises(DataError, match=says):
            stream.push(row)
    for number, row in enumerate(good):
        if number == 6:
            for wrong, says in ((bad, "expected a number"), (other, "changes within"), (date, "an integer")):
                with pytest.raises(DataError, match=says):
                    stream.push(wrong)
        known = row | ({"city": None} if number > 8 else {})  # the first complete row tells
        assert stream.push(known) == plain.push(row)


def test_a_zero_among_positive_values_is_a_low_value(table):
    """A model of logarithms has none of it; it is taken for a tenth of the least value of its window."""
    positive = table.with_columns(pl.col("y") - table["y"].min() + 5)
    model = saiki.train("forecast", positive, season=12, **QUICK)
    assert model.task.plan.log
    last = pl.col("ds") == 140
    given = lambda value: positive.with_columns(y=pl.when(last).then(value).otherwise(pl.col("y")))  # noqa: E731
    found, plain = (model.predict(data)["saiki"].to_numpy() for data in (given(0.0), positive))
    away = np.log(found / plain).reshape(4, 6)
    assert (np.abs(away[:, [0, 1, 3, 4, 5]]) < 0.5).all()
    assert (np.abs(away[:, 2]) < 3).all()  # a season after the zero
    with pytest.raises(DataError, match=r"reads logarithms.*some are below 0 \(-3 for one\)"):
        model.predict(given(-3.0))
    with pytest.raises(DataError, match="reads logarithms"):
        [model.stream().push(row) for row in [{"unique_id": "a", "ds": 1, "y": -2.0}]]


def test_a_season_longer_than_the_window_has_no_linear_forecast():
    table = toy(0, series=2, steps=150)
    model = saiki.train("forecast", table, season=24, history=10, **QUICK)
    assert model.task.plan.lags == 0
    assert model.validation is not None
    with pytest.raises(OptionError, match="season inside the history"):
        saiki.train("forecast", table, season=24, history=10, lags=5, **QUICK)
    with pytest.raises(OptionError, match="log has no meaning with scale last"):
        saiki.train("forecast", table, log=True, scale="last", **QUICK)


def test_validation_apart_learns_from_everything_at_once(table):
    early, late = table.filter(pl.col("ds") < 120), table
    model = saiki.train("forecast", early, valid=late, season=12, **QUICK)
    assert "refit" not in model.run
    assert model.validation is not None
    assert model.validation.forecasts["saiki"].shape == (4, 6)
    with pytest.raises(DataError, match="nothing to validate on: the longest series has 5 steps; expected at least 8"):
        saiki.train("forecast", early, valid=table.filter(pl.col("ds") < 5), season=12, **QUICK)
    with pytest.raises(
        DataError, match="nothing to validate on: the longest series has 120 steps; expected at least 502"
    ):
        saiki.train("forecast", early, validate_steps=500, season=12, **QUICK)


def test_truth_that_begins_later_is_refused_and_a_longer_step_too(model, table):
    history = table.filter(pl.col("ds") < 50)
    later = table.filter(pl.col("ds") < 60)
    with pytest.raises(DataError, match="in the 6 steps after its history"):
        model.evaluate(later.with_columns(pl.col("ds") + 120), history=history)
    with pytest.raises(DataError, match="does not go on from its history in steps of 1; expected it to begin at 50"):
        model.evaluate(later.with_columns(pl.col("ds") + 900), history=history)
    holes = history.filter(pl.col("ds") % 3 > 0)
    with pytest.raises(DataError, match="does not go on from its history"):
        model.evaluate(table.filter(pl.col("ds") < 4).with_columns(pl.col("ds") + 900), history=holes)
    near = model.evaluate(table.filter(pl.col("ds").is_between(52, 58)), history=history)  # two steps are missing
    assert near.truth is not None
    assert np.isnan(near.truth[:, :2]).all()
    assert np.isfinite(near.truth[:, 2:]).all()
    with pytest.raises(DataError, match="the rows are 24 apart, the model was trained on steps of 1"):
        model.predict(table.with_columns(pl.col("ds") * 24))


def test_resuming_sees_corrected_covariates(tmp_path):
    table = covariate_table()
    given = {"past": ["heat"], "static": ["city"], "season": 12, **QUICK}
    saiki.train("forecast", table, out=tmp_path / "m", **given)
    with pytest.raises(DataError, match="data differs"):
        saiki.train("forecast", table.with_columns(pl.col("heat") + 1), out=tmp_path / "m", resume=True, **given)


def test_a_missing_value_stays_missing_as_a_logarithm():
    scale = window_scale(torch.tensor([[1.0, 2.0, 4.0]]), torch.ones(1, 3, dtype=torch.bool), log=True)
    inward = scale.inward(torch.tensor([[torch.nan, 0.0, -1.0, 0.1, 2.0]]))[0]
    assert inward[0].isnan()
    assert inward[1] == inward[2] == inward[3] < inward[4]


def daily(days, values):
    first = pl.date(2024, 1, 1)
    return pl.DataFrame({"ds": pl.date_range(first, first + pl.duration(days=days - 1), eager=True), "y": values})


def test_a_short_history_has_no_interval_and_a_series_without_values_no_forecast(table, tmp_path, capsys):
    model = saiki.train("forecast", table, season=12, level=[80], **QUICK)
    least = model.task.calibration.least
    assert least > 20
    short = table.filter((pl.col("unique_id") != "series-0") | (pl.col("ds") > 145))
    short = short.with_columns(y=pl.when(pl.col("unique_id") == "series-1").then(None).otherwise(pl.col("y")))
    with pytest.warns(SaikiWarning) as told:
        found = model.predict(short)
    assert [str(w.message).partition(" (")[0] for w in told] == ["1 series", "1 series"]
    assert "'series-1') of 4 have no known value" in str(told[0].message)
    assert "'series-0') of 4 have too few rows for intervals" in str(told[1].message)
    columns = ["saiki", "saiki-lo-80", "saiki-hi-80"]
    known = {id: np.isfinite(part[columns].to_numpy()).all(0) for (id,), part in found.group_by("unique_id")}
    assert known["series-0"].tolist() == [True, False, False]
    assert not known["series-1"].any()
    assert known["series-2"].all()
    model.save(tmp_path / "m")
    assert saiki.load(tmp_path / "m").task.calibration.least == least
    short.write_csv(tmp_path / "short.csv")
    assert run(["predict", str(tmp_path / "m"), str(tmp_path / "short.csv"), "--out", str(tmp_path / "o.csv")]) == 0
    assert "note: 1 series (the first is 'series-0') of 4 have too few rows" in capsys.readouterr().err


def test_hours_of_a_zone_stream_across_midnight_as_they_are_predicted():
    times = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 8), "1h", eager=True, time_zone="Europe/Berlin"
    )
    frame = pl.DataFrame({"ds": times, "y": 10 + np.sin(np.arange(len(times)) / 4)})
    model = saiki.train("forecast", frame, season=24, **QUICK)
    stream = model.stream()
    for count, row in enumerate(frame.iter_rows(named=True), 1):
        (answer,) = stream.push(row)
        if count in (1, 25, 26, len(frame)):
            expected = model.predict(frame.head(count))
            assert answer["ds"] == [t.isoformat() for t in expected["ds"]]
            np.testing.assert_allclose(answer["saiki"], expected["saiki"], rtol=1e-5)


def test_a_day_without_midnight_is_a_day():
    days = pl.datetime_range(pl.datetime(2017, 6, 17), pl.datetime(2017, 10, 20), "1d", eager=True)
    local = days.dt.replace_time_zone("America/Sao_Paulo", non_existent="null")
    local = local.zip_with(local.is_not_null(), days.dt.offset_by("1h").dt.replace_time_zone("America/Sao_Paulo"))
    frame = pl.DataFrame({"ds": local, "y": np.random.default_rng(0).normal(size=len(days)) + 50})
    model = saiki.train("forecast", frame, **QUICK)
    assert model.task.frequency.name == "D"
    ahead = model.predict(frame.filter(pl.col("ds").dt.date() < pl.date(2017, 10, 14)))["ds"]
    assert ahead.null_count() == 0
    assert ahead.dt.date().diff().drop_nulls().unique().to_list() == [timedelta(days=1)]
    assert ahead[1].hour == 1  # on the 15th the clock was put forward at midnight


def test_days_are_written_as_days(tmp_path):
    model = saiki.train("forecast", daily(80, np.arange(80) % 7 + 5.0), **QUICK)
    write_frame(model.predict(daily(80, np.arange(80) % 7 + 5.0)), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().split("\n")[1].startswith("y,2024-03-21,")
    hours = pl.DataFrame({"ds": [datetime(2024, 1, 1, 5), datetime(2024, 1, 1, 6)]})
    write_frame(hours, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "ds\n2024-01-01T05:00:00\n2024-01-01T06:00:00\n"
    write_frame(hours.with_columns(pl.col("ds").dt.replace_time_zone("Etc/GMT-2")), tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text() == "ds\n2024-01-01T05:00:00+02:00\n2024-01-01T06:00:00+02:00\n"


def test_periods_of_pandas_are_times():
    index = pd.period_range("2014-01", periods=60, freq="M")
    model = saiki.train("forecast", pd.DataFrame({"y": np.arange(60.0) + 5}, index=index), **QUICK)
    assert model.task.frequency.name == "MS"


def test_after_a_refit_intervals_are_as_wide_as_held_out_errors_said(table):
    """A refit network may give other widths than the one that the errors were counted in."""
    model = saiki.train("forecast", table, level=[80], season=12, refit=False, **QUICK)
    wider = copy.deepcopy(model.network)
    with torch.no_grad():
        wider.offsets.bias += 1.0
    width = lambda answer: answer["saiki-hi-80"] - answer["saiki-lo-80"]  # noqa: E731
    before = model.predict(table)
    own, other = (
        _forecast_columns.usual_widths(model.task, n, model.task.training_data, np.arange(4), np.full(4, 100))
        for n in (model.network, wider)
    )
    assert (other[0] > 1.2 * own[0]).all()
    model.task.settle(wider, searched=model.network)
    after = model.task.predict(wider, table)
    np.testing.assert_allclose(after["saiki"], before["saiki"], rtol=1e-5)
    assert float((width(after) / width(before)).median()) == pytest.approx(1, abs=0.1)


def test_negative_validation_data_are_refused_before_training(table):
    positive = table.with_columns(pl.col("y") - table["y"].min() + 5)
    with pytest.raises(DataError, match="reads logarithms"):
        saiki.train(
            "forecast", positive, valid=positive.with_columns(-pl.col("y")), season=12, **QUICK | {"steps": 10**6}
        )


def _sales(seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    y = [rng.binomial(1, 0.15, 120) * rng.poisson(3, 120) for _ in range(4)]
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 29), eager=True)
    return pl.concat([pl.DataFrame({"unique_id": f"p{k}", "ds": days, "y": values}) for k, values in enumerate(y)])


def test_nothing_is_forecast_below_a_floor_of_zero():
    data = _sales()
    model = saiki.train("forecast", data, horizon=7, steps=30, level=[80, 95], refit=False)
    found = model.predict(data, samples=3)
    assert all((found[name] >= 0).all() for name in found.columns if name.startswith("saiki"))
    assert (model.predict(data, anomalies=True)["saiki-lo-99"].drop_nulls().drop_nans() >= 0).all()
    moved = saiki.train("forecast", data.with_columns(pl.col("y") - 1.0), horizon=7, steps=5, refit=False)
    assert not moved.task.plan.floor


def test_paths_of_a_series_are_drawn_by_its_name_alone():
    data = toy(0, series=4, steps=100)
    model = saiki.train("forecast", data, horizon=6, steps=5, width=8)
    found = model.predict(data, samples=8)
    assert found.equals(model.predict(data.sample(fraction=1.0, shuffle=True, seed=1), samples=8))
    one = data["unique_id"].unique().sort()[2]
    alone = model.predict(data.filter(pl.col("unique_id") == one), samples=8)
    paths = [c for c in found.columns if "sample" in c]
    assert np.allclose(alone[paths], found.filter(pl.col("unique_id") == one)[paths], rtol=1e-6)
    first = [
        part.select(pl.col(paths) - pl.col("saiki")).row(0)
        for part in found.partition_by("unique_id", maintain_order=True)
    ]
    assert len({tuple(np.argsort(row)) for row in first}) > 1  # not the same draws for all


@pytest.mark.parametrize("factor", [1e-9, 1e6])
def test_the_unit_of_the_data_does_not_matter(factor):
    data = toy(0, series=2, steps=100).with_columns(pl.col("y") - pl.col("y").mean())
    given = {"horizon": 6, "steps": 5, "level": [80], "width": 8}
    one = saiki.train("forecast", data, **given).predict(data)
    scaled = data.with_columns(pl.col("y") * factor)
    other = saiki.train("forecast", scaled, **given).predict(scaled)
    for name in ("saiki", "saiki-lo-80", "saiki-hi-80"):  # five steps in float32 of windows that differ by rounding
        assert np.allclose(other[name] / factor, one[name], rtol=1e-4, atol=1e-4 * one[name].abs().max())


def test_history_and_truth_may_write_their_times_differently(tmp_path):
    hours = pl.datetime_range(pl.datetime(2024, 3, 1), pl.datetime(2024, 4, 14, 23), "1h", time_zone="UTC", eager=True)
    data = pl.DataFrame({"ds": hours.dt.convert_time_zone("Europe/Berlin"), "y": np.sin(np.arange(len(hours)) / 4) + 2})
    old, new = data[:-24], data[-24:]
    text = pl.col("ds").dt.to_string("%Y-%m-%d %H:%M:%S%:z")
    old.with_columns(text).write_csv(tmp_path / "old.csv")
    new.with_columns(text).write_csv(tmp_path / "new.csv")
    data[-48:].with_columns(text).write_csv(tmp_path / "both.csv")
    old.write_parquet(tmp_path / "old.parquet")
    model = saiki.train("forecast", old, horizon=24, steps=3)
    expected = model.evaluate(data).scores["saiki"]["mae"]
    for history, truth in (("old.csv", "new.csv"), ("old.parquet", "new.csv"), ("old.csv", "both.csv")):
        found = model.evaluate(tmp_path / truth, history=tmp_path / history)
        assert found.scores["saiki"]["mae"] == pytest.approx(expected)
    with pytest.raises(DataError, match="the history has dates or times, the data integers"):
        model.evaluate(new.with_columns(ds=pl.int_range(24)), history=old)
    bare = new.with_columns(pl.col("ds").dt.replace_time_zone(None))
    with pytest.warns(
        SaikiWarning, match="training had the zone Europe/Berlin, these have none: they are taken as UTC"
    ):
        model.predict(bare)
    with pytest.raises(DataError, match="the history has a time zone, the data none"):
        model.evaluate(bare, history=old)
    with pytest.raises(DataError, match="without a time zone; expected times as in the rows before it"):
        model.stream(history=old).push(bare.row(0, named=True))


def test_rows_ahead_in_the_history_take_their_values_from_the_truth(table):
    """A history that tells the columns known ahead, as `predict` needs it, beside a truth that repeats those rows."""
    told = table.with_columns(x=pl.col("y").round(1))
    model = saiki.train("forecast", told.filter(pl.col("ds") < 144), future=["x"], season=12, **QUICK)
    truth = told.filter(pl.col("ds") >= 144)
    ahead = told.with_columns(pl.when(pl.col("ds") < 144).then(pl.col("y")).alias("y"))
    expected = model.evaluate(truth, history=told.filter(pl.col("ds") < 144)).scores
    assert model.evaluate(truth, history=ahead).scores == expected
    assert model.evaluate(told, history=ahead).scores == expected
    other = told.with_columns(pl.when(pl.col("ds") == 50).then(1e3).otherwise(pl.col("y")).alias("y"))
    with pytest.raises(DataError, match=r"different values at ds 50 of series .* \(\d+ such rows\)"):
        model.evaluate(other, history=ahead)


def test_values_on_every_second_step_are_told():
    data = toy(0, series=1, steps=100)
    model = saiki.train("forecast", data, horizon=6, steps=3)
    with pytest.warns(SaikiWarning, match="The values are 2 apart, the model was trained on steps of 1"):
        model.predict(data.gather_every(2))


def test_empty_places_among_columns_known_ahead_are_told(table):
    told = table.with_columns(x=pl.col("y").round(1))
    model = saiki.train("forecast", told.filter(pl.col("ds") < 144), future=["x"], season=12, **QUICK)
    ahead = told.with_columns(pl.when(pl.col("ds") < 144).then(pl.col("y")).alias("y"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(ahead)
    hole = (pl.col("ds") == 146) & (pl.col("unique_id") == table["unique_id"][0])
    with pytest.warns(SaikiWarning, match="--future x is empty in 1 of"):
        model.predict(ahead.with_columns(x=pl.when(~hole).then(pl.col("x"))))


def test_a_step_that_predict_would_refuse_is_refused_in_training():
    with pytest.raises(DataError, match="steps"):
        saiki.train("forecast", hours(), freq="2h", horizon=4, steps=2)


def hours():
    times = pl.datetime_range(pl.datetime(2024, 3, 1), pl.datetime(2024, 3, 20), "1h", eager=True)
    return pl.DataFrame({"ds": times, "y": np.sin(np.arange(len(times)) / 4)})


def test_days_and_months_of_a_stream_are_told_apart_by_the_row_before():
    days = pl.date_range(pl.date(2023, 1, 1), pl.date(2023, 7, 31), eager=True)
    table = pl.DataFrame({"ds": days.dt.to_string("%d/%m/%Y"), "y": np.arange(len(days)) % 7 + 10.0})
    model = saiki.train("forecast", table, horizon=3, steps=2, width=8)
    stream = model.stream(history=table)
    for day in range(1, 15):
        row = {"ds": f"{day:02d}/08/2023", "y": 10.0}
        answer = stream.push(row)[0]
        table = pl.concat([table, pl.DataFrame([row])])
    assert np.allclose(answer["saiki"], model.predict(table)["saiki"], rtol=1e-6)
    with pytest.raises(DataError, match="one unambiguous format"):
        model.stream().push({"ds": "01/08/2023", "y": 10.0})  # nothing tells them apart
