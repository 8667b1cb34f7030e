"""A label per step: a rule between neighbours and a state that lasts are found, streams equal wholes, faults are one line."""

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.data.tagged import tagged
from saiki.errors import DataError, ModelError, OptionError, SaikiError
from saiki.modalities._spelling import SpellingCodec, features, shape
from saiki.tasks._tag_problem import Part
from saiki.tasks.tag import toy

QUICK = {
    "embedding": 8, "dropout": 0.0, "input_dropout": 0.0, "embedding_dropout": 0.0, "learning_rate": 0.02, "average": 0.0,
    "validations": 2, "width": 16, "seed": 1,
}  # fmt: skip


def switches(seed, steps=1200):
    """A series of rare pulses, up and down, some values missing: the label is which pulse came last."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(steps) < 0.1, rng.choice([-1.0, 1.0], steps), 0.0)
    x[0] = 1.0
    last = np.maximum.accumulate(np.where(x != 0, np.arange(steps), 0))
    hole = (rng.random(steps) < 0.05) & (x == 0)
    labels = np.where(x[last] > 0, "on", "off")
    values = [None if gone else v for v, gone in zip(x.tolist(), hole, strict=True)]
    return pl.DataFrame({"t": np.arange(steps), "x": values, "site": rng.choice(["a", "b"], steps), "state": labels})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tags")
    (folder / "train.conll").write_text(conll(toy(0)))
    return saiki.train("tag", folder / "train.conll", steps=80, crf=True, out=folder / "m", **QUICK), folder


def conll(frame):
    sentences = frame.partition_by("unique_id", maintain_order=True)
    return "\n\n".join("\n".join(f"{w} {y}" for w, y in zip(s["word"], s["y"], strict=True)) for s in sentences) + "\n"


def test_a_rule_between_both_neighbours_is_found(made):
    model, folder = made
    found = model.evaluate(toy(7, 60))
    assert found.scores["saiki"]["span_f1"] > 0.95 > 0.5 > found.scores["frequent_label"]["span_f1"]
    assert found.ranked_by[0] == "span_f1"
    assert found.details["spans"]["X"]["f1"] == pytest.approx(found.scores["saiki"]["span_f1"], abs=1e-3)
    again = saiki.load(folder / "m")
    assert again.predict(toy(7, 5)).equals(model.predict(toy(7, 5)))
    assert again.task.fingerprint(folder / "train.conll") == model.data["fingerprint"]


def test_rows_come_back_in_their_order(made):
    model, _ = made
    table = toy(3, 8)
    mixed = table.sample(fraction=1.0, shuffle=True, seed=0)
    found = model.predict(mixed)
    assert found["word"].to_list() == mixed["word"].to_list()
    ordered = found.sort("unique_id", "ds")["saiki"].to_list()
    assert ordered == model.predict(table)["saiki"].to_list()
    assert model.predict(table.drop("y").to_pandas())["saiki"].tolist() == ordered


def test_answers_stand_beside_the_truth(made):
    model, _ = made
    table = toy(3, 8)
    found = model.task.answered(model.network, table)
    assert found["truth"].to_list() == table["y"].to_list()
    assert (found["truth"] == found["saiki"]).mean() == model.evaluate(table).scores["saiki"]["accuracy"]
    with pytest.raises(DataError, match="no column 'y'"):
        model.task.answered(model.network, table.drop("y"))


def test_what_needs_the_whole_sequence_says_which_option_forbids_a_stream(made):
    model, _ = made
    with pytest.raises(ModelError, match="--bidirectional needs the whole sequence"):
        model.stream()
    causal = saiki.train("tag", toy(0, 30), steps=1, crf=True, bidirectional=False, **QUICK)
    with pytest.raises(ModelError, match="--crf judges"):
        causal.stream()
    series = saiki.train("tag", switches(0, 200), target="state", time="t", source="x", steps=1, normalise="both",
                         bidirectional=False, **QUICK)  # fmt: skip
    with pytest.raises(ModelError, match="--normalise both needs the whole series"):
        series.stream()


@pytest.fixture(scope="module")
def states():
    return saiki.train(
        "tag", switches(0), target="state", time="t", source=["x", "site"], steps=60, bidirectional=False, **QUICK
    )


def test_a_state_that_lasts_is_found(states):
    scores = states.evaluate(switches(5)).scores
    assert scores["saiki"]["accuracy"] > 0.97
    assert scores["logistic_steps"]["accuracy"] < 0.85
    assert scores["frequent_label"]["accuracy"] < 0.7


@pytest.mark.parametrize("fill", ["last", "zero"])
def test_a_stream_gives_what_the_whole_gives(states, fill):
    model = states
    if fill == "zero":
        uneven = switches(0, 200).with_columns(t=pl.Series(np.cumsum(1 + np.arange(200) % 3)))
        options = {
            "fill": "zero",
            "differences": True,
            "steps": 3,
            "bidirectional": False,
            "cell": "gru_d",
            "layers": 1,
        }
        model = saiki.train("tag", uneven, target="state", time="t", source=["x", "site"], **options, **QUICK)
    table = switches(9, 25).with_columns(t=pl.Series(np.cumsum(1 + np.arange(25) % 2)))
    stream = model.stream()
    pushed = [stream.push(row) for row in table.drop("state").iter_rows(named=True)]
    for k in (0, 1, 2, 3, 11, 24):
        found = model.predict(table[: k + 1])
        assert found["saiki"][-1] == pushed[k]["saiki"]
        assert found["saiki-p"][-1] == pytest.approx(pushed[k]["saiki-p"], abs=1e-5)
    with pytest.raises(DataError, match="does not come after"):
        stream.push({"t": 1, "x": 0.0, "site": "a"})
    with pytest.raises(DataError, match="the row has no 'site'"):
        stream.push({"t": 99, "x": 0.0})


def test_words_stream_too():
    model = saiki.train("tag", toy(0, 40), steps=5, bidirectional=False, **QUICK)
    table = toy(2, 2)
    stream = model.stream()
    pushed = [stream.push(row)["saiki-p"] for row in table.iter_rows(named=True)]
    assert pushed == pytest.approx(model.predict(table)["saiki-p"].to_list(), abs=1e-5)


def test_steps_without_labels_are_left_out():
    holes = toy(0, 40).with_columns(y=pl.when(pl.col("ds") == 1).then(None).otherwise(pl.col("y")))
    model = saiki.train("tag", holes, steps=2, **QUICK)
    assert "steps without a label" in model.evaluate(holes).notes[0]
    with pytest.raises(OptionError, match="--crf needs a label at every step; 40 have none"):
        saiki.train("tag", holes, steps=2, crf=True, **QUICK)


def test_a_crf_is_validated_on_series_whose_labels_are_all_known():
    valid = toy(1, 12)
    first, second = pl.col("unique_id") == 0, (pl.col("unique_id") == 1) & (pl.col("ds") == 0)
    holes = valid.with_columns(y=pl.when(first).then(pl.lit("new")).when(~second).then("y"))
    model = saiki.train("tag", toy(0, 40), valid=holes, crf=True, steps=2, **QUICK)
    assert "steps without a label are left out" in model.validation.notes[0]
    parts = holes, valid.filter(pl.col("unique_id") > 1), holes.filter(pl.col("unique_id") < 2)
    with torch.no_grad():
        found, expected, none = (model.task.problem(4, data).validate(model.network) for data in parts)
    assert found == pytest.approx(expected)
    assert np.isnan(none)


def test_with_data_of_its_own_validation_holds_nothing_out(tmp_path):
    model = saiki.train("tag", toy(0, 40), valid=toy(1, 10), steps=1, out=tmp_path / "m", **QUICK)
    assert dict(model.understood)["held out"] == "nothing"
    assert len(model.task._seen) == 40
    assert saiki.load(tmp_path / "m").predict(toy(2, 3)).equals(model.predict(toy(2, 3)))
    assert saiki.train("tag", toy(0, 40), holdout=0, steps=1, **QUICK).validation is None


def test_a_missing_word_of_a_pandas_frame_is_no_fault(made):
    model, _ = made
    table = toy(3, 4).to_pandas()
    table.loc[1, "word"] = np.nan
    found = model.predict(table)
    assert found["word"].isna().tolist() == [False, True, *[False] * (len(table) - 2)]


def test_a_single_group_is_one_line():
    alone = toy(0, 30).with_columns(who=pl.lit("a"))
    asked = {"group": "who", "source": "word", "steps": 1}
    with pytest.raises(DataError, match="all series are of one group of column 'who'"):
        saiki.train("tag", alone, **asked, **QUICK)
    assert saiki.train("tag", alone, valid=toy(1, 10), **asked, **QUICK).validation.scores


def test_groups_are_not_divided():
    grouped = toy(0, 60).with_columns(who=pl.col("unique_id") // 6)
    model = saiki.train("tag", grouped, group="who", source="word", steps=1, **QUICK)
    task = model.task
    sides = [{int(k) // 6 for k in task._series_of(part)} for part in task._split]
    assert sides[1]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (toy(0, 30).drop("y"), {}, "no column 'y'"),
        (toy(0, 30), {"target": ["y", "word"]}, "expected one label per step"),
        (toy(0, 30), {"source": "y"}, "given twice"),
        (toy(0, 30).with_columns(y=pl.lit("O")), {}, "expected two classes or more"),
        (toy(0, 1), {}, "expected at least 20"),
        (toy(0, 30).rename({"word": "a"}).with_columns(b=pl.lit("x")), {}, "several columns of text"),
        (toy(0, 30).select("unique_id", "ds", "y"), {}, "no column of words or numbers"),
        (switches(0, 50), {"source": "x", "target": "state", "vectors": "v.txt"}, "--vectors are of words"),
    ],
)
def test_faults_are_one_line(table, options, message):
    with pytest.raises(SaikiError, match=message) as error:
        saiki.train("tag", table, steps=1, **options)
    assert "\n" not in str(error.value)


def test_spelling():
    assert features("Ab12") == ("ab00", "ab", "ab0", "0", "00", "b00", "ab00", "Xxdd")
    assert [shape(w) for w in ("IBM", "iPhone", "12345", "U.S.")] == ["XX", "xXxx", "dd", "X.X."]
    codec = SpellingCodec.fit(["Rain", "rain", "falls"], 2)
    assert codec.sizes[0] == 2
    numbers = codec.encode(["RAIN", "snow"])
    assert numbers[:, 0].tolist() == [1, 0]
    assert SpellingCodec.from_json(codec.to_json()) == codec


def test_long_series_are_cut_without_loss():
    part = Part(np.array([0, 100]), np.array([100, 7]))
    pieces = part.cut(30, np.random.default_rng(3))
    steps = np.concatenate([s + np.arange(n) for s, n in zip(pieces.starts, pieces.lengths, strict=True)])
    assert np.sort(steps).tolist() == list(range(107))
    assert pieces.lengths.max() <= 30


def test_series_without_an_id_or_of_one_step():
    found = tagged(pl.DataFrame({"word": ["a"], "y": ["O"]}))
    assert (len(found), found.words) == (1, ["a"])
    with pytest.raises(DataError, match="no column 'word'"):
        tagged(pl.DataFrame({"other": ["a"]}), found.layout)


def test_conll_files_answer_without_labels(made, tmp_path):
    model, _ = made
    (tmp_path / "words.conll").write_text("the\nka\nis\n\nat\nka\n")
    found = model.predict(tmp_path / "words.conll")
    assert found["saiki"].to_list() == ["O", "B-X", "O", "O", "O"]
    with pytest.raises(DataError, match="no column 'y' with the labels"):
        model.evaluate(tmp_path / "words.conll")
    assert found["saiki-p"].is_between(0, 1).all()


def test_labels_that_training_does_not_know_count_as_wrong(made):
    model, _ = made
    table = toy(7, 60)
    begins = pl.col("y").str.starts_with("B-")
    strange = table.with_columns(y=pl.when(begins).then(pl.lit("B-NEW")).otherwise(pl.col("y")))
    usual, found = model.evaluate(table), model.evaluate(strange)
    wrong = strange["y"].str.starts_with("B-NEW").mean()
    assert found.scores["saiki"]["accuracy"] == pytest.approx(usual.scores["saiki"]["accuracy"] - wrong, abs=0.05)
    assert found.scores["saiki"]["span_f1"] < 0.1
    assert any(
        "labels that training does not know (B-NEW): no answer can be right there" in note for note in found.notes
    )


def test_one_label_that_is_of_no_span_is_told(tmp_path):
    table = toy(0, 40)
    odd = table.with_columns(y=pl.when(pl.int_range(pl.len()) % 50 == 3).then(pl.lit("_")).otherwise(pl.col("y")))
    found = saiki.train("tag", odd, steps=2, **QUICK).validation
    assert "span_f1" not in found.scores["saiki"]
    assert any(
        "No span F1: the other labels are those of spans (B-…, I-…), but not '_'." in note for note in found.notes
    )


def test_rows_of_a_stream_that_cannot_be_used_are_one_line_and_leave_no_trace():
    table = switches(0, 200).with_columns(load=pl.int_range(200) % 5)
    model = saiki.train(
        "tag", table, time="t", source=["x", "load"], target="state", bidirectional=False, steps=3, **QUICK
    )
    stream, rows = model.stream(), table.drop("state").to_dicts()
    answers = [stream.push(row) for row in rows[:3]]
    for wrong, says in (
        ({"load": [1]}, "'load' is [1]; expected one value"),
        ({"t": {"a": 1}}, "expected one value"),
        ({"t": "x"}, "holds no times"),
        ({"t": 0.0}, "does not come after"),
    ):
        with pytest.raises(DataError) as told:
            stream.push(rows[3] | wrong)
        assert says in str(told.value)
        assert "\n" not in str(told.value)
    answers.append(stream.push(rows[3] | {"t": 3.0}))  # whole floats are as good as integers
    assert [a["saiki"] for a in answers] == model.predict(table[:4])["saiki"].to_list()


def test_ids_of_a_stream_are_told_apart_as_those_of_tables():
    table = pl.concat([switches(k, 60).with_columns(id=pl.lit(k)) for k in range(2)])
    given = {"id": "id", "time": "t", "source": "x", "target": "state", "bidirectional": False, "steps": 3}
    stream = saiki.train("tag", table, **given, **QUICK).stream()
    row = {"t": 1, "x": 1.0, "site": "a"}
    stream.push(row | {"id": 7})
    with pytest.raises(DataError, match="does not come after"):
        stream.push(row | {"id": "7"})
    with pytest.raises(DataError, match=r"'id' is .*; expected one id"):
        stream.push(row | {"id": [7]})
