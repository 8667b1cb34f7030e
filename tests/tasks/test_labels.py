"""The tasks classify and regress: planted answers are found, predictions do not depend on what they should not."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.data.labelled import labelled
from saiki.errors import DataError, ModelError, OptionError
from saiki.reporting.page import render
from saiki.tasks import classify, regress

QUICK = {"steps": 4, "width": 8, "layers": 1, "ensemble": 2, "validations": 1}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return classify.toy(0, series=40)


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("classify", table, **QUICK)


@pytest.mark.slow
def test_the_planted_class_is_found():
    model = saiki.train("classify", classify.toy(1, series=160), steps=250, width=16, ensemble=2, seed=1)
    assert model.validation.beats_baselines
    found = model.evaluate(classify.toy(2, series=100)).scores
    assert found["saiki"]["accuracy"] > 0.95
    assert found["logistic_summary"]["accuracy"] < found["saiki"]["accuracy"] - 0.05  # when things happen tells a part


@pytest.mark.slow
def test_the_planted_number_is_found():
    model = saiki.train("regress", regress.toy(1, series=300), steps=400, width=24, ensemble=1, seed=1)
    found = model.evaluate(regress.toy(2, series=100)).scores
    assert found["saiki"]["r2"] > 0.8
    assert found["saiki"]["rmse"] < found["ridge_summary"]["rmse"]


def test_an_answer_per_series_with_probabilities(model, table):
    found = model.predict(table)
    assert found.columns == ["unique_id", "saiki", "saiki-first", "saiki-second"]
    assert len(found) == 40
    assert np.allclose(found["saiki-first"] + found["saiki-second"], 1)
    second = (found["saiki-second"] > found["saiki-first"]).to_numpy()
    assert (found["saiki"] == "second").to_numpy().tolist() == second.tolist()


def test_a_loaded_model_answers_and_scores_alike(model, table, tmp_path):
    model.save(tmp_path / "m")
    loaded = saiki.load(tmp_path / "m")
    assert loaded.predict(table).equals(model.predict(table))
    assert loaded.evaluate(table).scores == model.evaluate(table).scores
    assert loaded.facts() == model.facts()
    assert "2 classes" in (tmp_path / "m" / "README.md").read_text()


def test_order_neighbours_and_absent_answers_do_not_matter(model, table):
    expected = model.predict(table)
    assert model.predict(table.sample(fraction=1, shuffle=True, seed=0).drop("y")).equals(expected)
    alone = model.predict(table.filter(pl.col("unique_id") == "s7"))
    among = expected.filter(pl.col("unique_id") == "s7")
    assert np.allclose(alone["saiki-first"], among["saiki-first"], atol=1e-6)


def test_frames_come_back_in_their_own_library(model, table):
    pandas = pytest.importorskip("pandas")
    found = model.predict(table.to_pandas())
    assert isinstance(found, pandas.DataFrame)
    assert np.array_equal(found["saiki-first"], model.predict(table)["saiki-first"])


def test_wide_and_long_are_the_same_series():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 10)), np.arange(24) % 3
    wide = pl.DataFrame({str(k): column for k, column in enumerate([y, *x.T])})
    long = pl.DataFrame(
        {
            "unique_id": np.repeat(np.arange(24), 10),
            "ds": np.tile(np.arange(10), 24),
            "x": x.ravel(),
            "y": np.repeat(y, 10),
        }
    )
    first, second = (saiki.train("classify", frame, **QUICK) for frame in (wide, long))
    assert first.predict(wide)["saiki-2"].to_list() == second.predict(long)["saiki-2"].to_list()
    assert first.task.layout.target == "0", "the first column of a file without a header, as in the UCR archive"


def test_several_channels_side_by_side():
    x = np.random.default_rng(0).normal(size=(20, 12))
    table = pl.DataFrame({"label": ["a", "b"] * 10} | {f"x{k}": c for k, c in enumerate(x.T)})
    found = saiki.train("classify", table, target="label", channels=3, **QUICK).task
    assert found.training.lengths.tolist() == [4] * 20
    assert found.training.source.numbers[0].tolist() == x[0, :3].tolist()
    with pytest.raises(OptionError, match="12 columns cannot be cut into steps of 5"):
        saiki.train("classify", table, target="label", channels=5, **QUICK)


@pytest.mark.parametrize("cell", ["gru_d", "cfc"])
def test_irregular_time_and_missing_values(cell, table):
    rng = np.random.default_rng(0)
    holes = table.with_columns(
        ds=pl.col("ds") ** 2, a=pl.when(pl.Series(rng.random(len(table)) < 0.5)).then(None).otherwise(pl.col("a"))
    )
    holes = holes.filter(pl.col("unique_id").is_in([f"s{k}" for k in range(20)]) & (pl.col("ds") < 400))
    model = saiki.train("classify", holes, cell=cell, **(QUICK | {"ensemble": 1}))
    assert model.task.codec.flags
    assert model.task.codec.gap
    assert np.isfinite(model.predict(holes)["saiki-first"].to_numpy()).all()
    later = model.predict(holes.with_columns(pl.col("ds") * 3 + 100))
    assert later.equals(model.predict(holes)) is False, "the gaps are told"


def test_what_is_static_is_told(table):
    told = table.with_columns(age=pl.col("unique_id").str.slice(1).cast(pl.Float64), ward=pl.lit("east"))
    model = saiki.train("classify", told, static=["age", "ward"], source=["a", "b"], **QUICK)
    older = told.with_columns(pl.col("age") + 40)
    assert not model.predict(older).equals(model.predict(told))


def test_what_a_pandas_table_tells_on_one_row_of_a_series(table):
    first = pl.int_range(pl.len()).over("unique_id") == 0
    told = table.with_columns(
        age=pl.col("unique_id").str.slice(1).cast(pl.Float64), y=pl.col("y").rank("dense").cast(pl.Float64)
    )
    once = told.with_columns(pl.when(first).then(pl.col("age", "y")).otherwise(float("nan")))
    found = [labelled(frame, static=["age"], source=["a", "b"]) for frame in (told, once, once.to_pandas())]
    assert len({data.fingerprint() for data in found}) == 1


def test_few_groups_are_enough_and_a_single_one_is_one_line(table):
    grouped = table.with_columns(one=pl.lit("a"), two=pl.col("unique_id").str.slice(1).cast(pl.Int64) % 2)
    with pytest.raises(DataError, match="all series are of one group of column 'one', so nothing can be held out"):
        saiki.train("classify", grouped, group="one", **QUICK)
    assert saiki.train("classify", grouped, group="one", valid=grouped, **QUICK).validation.scores
    few = saiki.train("classify", grouped, group="two", **QUICK | {"ensemble": 5})
    assert few.validation.about.startswith("validation: 40 series")


def test_groups_are_never_split(table):
    grouped = table.with_columns(patient=pl.col("unique_id").str.slice(1).cast(pl.Int64) // 4)
    model = saiki.train("classify", grouped, group="patient", **QUICK)
    folds, group = model.task._folds, model.task.training.group
    assert len(np.unique(folds)) > 3
    assert all(len(set(folds[group == g])) == 1 for g in np.unique(group))
    assert "patient" not in model.task.layout.source


def test_a_number_per_series_comes_back_in_its_units():
    table = regress.toy(0, series=40).with_columns(pl.col("y") * 1000 + 5000)
    model = saiki.train("regress", table, **QUICK)
    found = model.predict(table)
    assert found.columns == ["unique_id", "saiki"]
    assert abs(found["saiki"].mean() - table["y"].mean()) < 5000
    assert set(model.validation.scores) == {"saiki", "mean_answer", "ridge_summary"}
    assert model.validation.scores["mean_answer"]["rmse"] > 1000


@pytest.mark.slow
def test_the_temperature_is_saved_and_lowers_the_log_loss(table):
    given = QUICK | {"steps": 60, "learning_rate": 0.02, "augment": ["none"], "baseline_share": False}
    plain = saiki.train("classify", table, calibrate=False, **given)
    model = saiki.train("classify", table, **given)
    assert float(plain.network.temperature) == 1
    assert float(model.network.temperature) != 1
    assert model.validation.scores["saiki"]["log_loss"] <= plain.validation.scores["saiki"]["log_loss"] + 1e-6


@pytest.mark.slow
def test_class_weights_draw_the_answers_to_the_rare_class():
    table = classify.toy(3, series=60).with_columns(y=pl.when(pl.col("unique_id").is_in(["s1", "s2", "s3", "s4", "s5", "s6"]))
                                                    .then(pl.lit("rare")).otherwise(pl.lit("usual")))  # fmt: skip
    given = QUICK | {"steps": 40, "calibrate": False, "seed": 1}
    shares = [
        saiki.train("classify", table, class_weight=weight, **given).predict(table)["saiki-rare"].mean()
        for weight in ("none", "balanced")
    ]
    assert shares[1] > shares[0] + 0.1


def test_the_report_shows_confusion_and_mistakes(model, table):
    page = render(model, model.evaluate(table), "title")
    assert "<h2>Confusion</h2>" in page
    assert "The most confident mistakes" in page
    assert "<h2>Scores by class</h2>" in page


def test_answers_stand_beside_the_truth_the_worst_first(model, table):
    found = model.task.answered(model.network, table)
    scores = model.evaluate(table)
    right = (found["saiki"] == found["truth"]).to_numpy()
    assert right.mean() == scores.scores["saiki"]["accuracy"]
    assert (np.diff(right.astype(int)) >= 0).all()
    classes = scores.details["classes"]
    assert sum(row["count"] for row in classes.values()) == len(found)
    assert np.mean([row["f1"] for row in classes.values()]) == pytest.approx(
        scores.scores["saiki"]["macro_f1"], abs=1e-3
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y": pl.lit("one")}, "only 'one'"),
        ({"y": pl.lit(None)}, "0 of 40 series have an answer"),
        ({"y": pl.int_range(pl.len()) / 7}, "changes within"),
        ({"a": pl.lit(float("inf"))}, "source column 'a' has infinite"),
        ({"y": pl.lit(float("-inf"))}, "target column 'y' has infinite values, the first in row 1; expected numbers"),
        ({"b": pl.lit(float("inf"))}, "static column 'b' has infinite"),
    ],
)
def test_bad_tables_are_one_line(table, change, says):
    given = QUICK | ({"static": ["b"]} if "b" in change else {})
    with pytest.raises(DataError, match=says) as error:
        saiki.train("classify", table.with_columns(**change), **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [({"pooling": ["mode"]}, "pooling"), ({"augment": ["flip"]}, "augment"), ({"target": "z"}, "no column 'z'"),
     ({"time": "ds", "id": "nobody"}, "no column 'nobody'"), ({"cell": "gru_d", "patch": 2}, "--patch 1")],
)  # fmt: skip
def test_bad_options_are_one_line(table, given, says):
    with pytest.raises((OptionError, DataError), match=says):
        saiki.train("classify", table, **(QUICK | given))


def test_what_it_cannot_do_is_one_line(model, table):
    with pytest.raises(ModelError, match="--pooling mean max last"):
        model.stream()
    with pytest.raises(OptionError, match="--history"):
        model.evaluate(table, history=table)
    with pytest.raises(DataError, match="no column 'y'"):
        model.evaluate(table.drop("y"))
    with pytest.raises(DataError, match="no column 'a'"):
        model.predict(table.drop("a"))


def test_on_the_command_line(tmp_path, capsys):
    from saiki import cli

    rng = np.random.default_rng(0)
    rows = ["\t".join([f"{k % 2 + 1}", *(f"{v:.5f}" for v in rng.normal(size=12) + k % 2)]) for k in range(30)]
    (tmp_path / "Toy_TRAIN.tsv").write_text("\n".join(rows) + "\n")
    words = [
        "--steps",
        "5",
        "--width",
        "8",
        "--ensemble",
        "1",
        "--threads",
        "2",
        "--out",
        f"{tmp_path / 'm'}",
        "--json",
    ]
    assert cli.run(["train", "classify", str(tmp_path / "Toy_TRAIN.tsv"), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["validation"]["ranked_by"] == ["accuracy"]
    assert cli.run(["evaluate", str(tmp_path / "m"), str(tmp_path / "Toy_TRAIN.tsv")]) == 0
    assert "logistic_summary" in capsys.readouterr().out
    assert cli.run(["predict", str(tmp_path / "m"), str(tmp_path / "Toy_TRAIN.tsv")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "unique_id,saiki,saiki-1,saiki-2"


def level(seed, series, task):
    """Series of noise around a level, which is the answer, or what side of 0 it is on."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=series)
    steps = {"unique_id": np.repeat(np.arange(series), 12), "ds": np.tile(np.arange(12), series)}
    answer = middle if task == "regress" else np.where(middle > 0, "over", "under")
    return pl.DataFrame(
        steps | {"x": np.repeat(middle, 12) + 0.3 * rng.normal(size=12 * series), "y": np.repeat(answer, 12)}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{}, {"valid": True}, {"robust": True}, {"refit": True}, {"cell": "echo_state"}], ids=str
)
@pytest.mark.parametrize(("task", "partner"), [("classify", "logistic_summary"), ("regress", "ridge_summary")])
def test_a_linear_model_has_the_share_that_held_out_series_ask_for(task, partner, how, tmp_path):
    if "robust" in how and (task == "classify" or "cell" in how):
        how = {"class_weight": "balanced"}
    if "valid" in how:
        how = {"valid": level(2, 50, task)}
    given = {"steps": 1} if "cell" not in how else {}
    hardly = {"width": 4, "layers": 1, "ensemble": 2, "dropout": 0.0, **given, **how}
    model = saiki.train(task, level(0, 80, task), **hardly, out=tmp_path / "m")
    fresh = level(1, 200, task)
    found = model.evaluate(fresh)
    ours, linear, alone = found.scores["saiki"], found.scores[partner], found.details["alone"]
    metric = found.ranked_by[0]
    sign = -1 if metric in ("rmse", "mae") else 1
    assert sign * ours[metric] >= sign * alone[metric]
    assert sign * ours[metric] > sign * linear[metric] - 0.08
    assert model.task.beside > 0.1
    assert any(f"{partner} has a share in the answers" in note for note in found.notes)
    loaded = saiki.load(tmp_path / "m")
    assert loaded.predict(fresh).equals(model.predict(fresh))
    assert loaded.evaluate(fresh).scores == found.scores
    apart = saiki.train(task, level(0, 80, task), **hardly, baseline_share=False)
    assert apart.task.beside == 0
    assert "alone" not in apart.evaluate(fresh).details


def test_the_index_that_pandas_wrote_is_no_channel(table, tmp_path):
    table.with_row_index("").write_csv(tmp_path / "t.csv")
    model = saiki.train("classify", tmp_path / "t.csv", **QUICK)
    assert model.task.layout.source == ("a", "b")
    numbered = table.with_row_index("row", offset=1)  # by whatever name
    assert labelled(numbered).layout.source == ("a", "b")
    assert labelled(numbered.with_columns(pl.col("row") * 2)).layout.source == ("row", "a", "b")
    shuffled = numbered.rename({"row": "id"}).sample(fraction=1, shuffle=True, seed=1)
    assert labelled(shuffled).layout.source == ("a", "b")


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_other_categories_in_new_data_change_no_other_series(table, task):
    wards = pl.col("unique_id").str.slice(1).cast(pl.Int64) % 3
    told = table.with_columns(ward=wards.replace_strict({0: "a", 1: "b", 2: "c"}, return_dtype=pl.String))
    if task == "regress":
        told = told.with_columns(y=wards * 10.0)
    model = saiki.train(task, told, source=["a", "b"], static=["ward"], **QUICK)
    whole = model.predict(told)
    column = next(
        name for name in whole.columns if name.startswith("saiki-") or (task == "regress" and name == "saiki")
    )
    one = told.filter(pl.col("unique_id") == "s2")
    assert model.predict(one)[column][0] == pytest.approx(
        whole.filter(pl.col("unique_id") == "s2")[column][0], abs=1e-5
    )
    shifted = told.with_columns(ward=pl.when(pl.col("ward") == "a").then(pl.lit("z")).otherwise(pl.col("ward")))
    known = whole.filter(pl.col("unique_id").is_in(told.filter(pl.col("ward") != "a")["unique_id"].unique().to_list()))
    found = model.predict(shifted).filter(pl.col("unique_id").is_in(known["unique_id"].to_list()))
    assert np.allclose(found[column], known[column], atol=1e-5)


def test_the_truth_of_numbers_keeps_its_digits(table):
    far = table.with_columns(y=1e8 + 1.25 * pl.col("unique_id").str.slice(1).cast(pl.Int64))
    model = saiki.train("regress", far, **QUICK)
    truth = model.task.answered(model.network, far)["truth"].to_numpy()
    assert sorted(truth) == pytest.approx(sorted(far["y"].unique().to_list()), abs=1e-6)


def test_columns_that_are_numbers_are_read_like_those_of_a_file_without_a_header():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    wide = np.column_stack([np.arange(20) % 2, rng.normal(size=(20, 12))])
    model = saiki.train("classify", pandas.DataFrame(wide), **QUICK)
    assert len(model.predict(pandas.DataFrame(wide))) == 20
