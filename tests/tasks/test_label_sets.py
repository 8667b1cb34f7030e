"""Documents with any number of labels: a planted rule is found label by label, sets go in and come out as they were."""

import io

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.baselines import tfidf_each
from saiki.cli import run
from saiki.errors import DataError, OptionError, SaikiWarning
from saiki.metrics import micro_f1
from saiki.modalities._sets import LabelSetCodec
from saiki.reporting.page import write_report

NOUNS = ["cat", "dog", "tree", "house"]
QUICK = {
    "embedding": 8, "width": 12, "ensemble": 1, "dropout": 0.0, "input_dropout": 0.0, "learning_rate": 0.02, "average": 0.0,
    "validations": 2, "batch": 32, "seed": 1, "steps": 70, "multi_label": True, "source": "text", "target": "labels",
}  # fmt: skip


def planted(seed, rows):
    """`wet` if rain is told; `late` if "not" stands right before "on time", which words alone do not tell."""
    rng = np.random.default_rng(seed)
    texts, sets = [], []
    for _ in range(rows):
        wet, late = bool(rng.integers(2)), bool(rng.integers(2))
        time = "not ontime , so" if late else "so ontime , not"
        words = [str(w) for w in rng.choice(NOUNS, rng.integers(1, 4))]
        texts.append(" ".join([*words, *(["rain"] if wet else []), time, str(rng.choice(NOUNS))]))
        sets.append([name for name, true in (("late", late), ("wet", wet)) if true])
    return pl.DataFrame({"text": texts, "labels": sets})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return saiki.train("classify", planted(0, 120), out=folder / "m", **QUICK), folder / "m"


def test_the_planted_labels_are_found(made):
    model, folder = made
    found = model.evaluate(planted(5, 100))
    assert found.scores["saiki"]["micro_f1"] > 0.95
    assert found.scores["saiki"]["exact"] > 0.9
    assert found.details["labels"]["wet"]["count"] == sum("wet" in s for s in planted(5, 100)["labels"])
    again = saiki.load(folder)
    answers = again.predict(planted(6, 9))
    assert answers.equals(model.predict(planted(6, 9)))
    assert answers["saiki"].dtype == pl.List(pl.String)
    assert "Labels" in [table.title for table in found.tables]


def test_answers_beside_the_truth(made):
    model, _ = made
    table = planted(7, 40)
    found = model.task.answered(model.network, table)
    exact = (found["truth"] == found["saiki"]).to_numpy()
    assert exact.mean() == pytest.approx(model.evaluate(table).scores["saiki"]["exact"])
    assert (np.diff(exact.astype(int)) >= 0).all()


def test_lists_in_csv_are_read_back(made, tmp_path, capsys):
    model, folder = made
    table = planted(7, 40)
    table.write_ndjson(tmp_path / "t.jsonl")
    assert run(["predict", str(folder), str(tmp_path / "t.jsonl")]) == 0
    shown = pl.read_csv(io.StringIO(capsys.readouterr().out))["saiki"].fill_null("")
    expected = model.predict(table)["saiki"]
    assert shown.to_list() == [" | ".join(one) for one in expected]
    assert "late | wet" in shown
    np.testing.assert_array_equal(model.task.label.encode(shown), model.task.label.encode(expected))
    assert run(["evaluate", str(folder), str(tmp_path / "t.jsonl"), "--out", str(tmp_path / "a.csv")]) == 0
    assert "late | wet" in pl.read_csv(tmp_path / "a.csv")["truth"]


def test_text_with_a_separator():
    table = pl.Series("labels", ["a;b", " b ", "", None, "c;a"])
    codec = LabelSetCodec.fit(table, None)
    assert (codec.classes, codec.separator) == (("a", "b", "c"), ";")
    found = codec.encode(table)
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 1]]
    assert codec.decode(found > 0, "x").to_list() == ["a;b", "b", "", "", "a;c"]
    assert LabelSetCodec.from_json(codec.to_json()) == codec
    with pytest.warns(SaikiWarning, match="such as 'z'"):
        assert codec.encode(pl.Series(["z;b"])).tolist() == [[0, 1, 0]]


def test_thresholds_are_the_best_there_are():
    rng = np.random.default_rng(0)
    truth = (rng.random((40, 3)) < 0.3).astype(float)
    truth[:, 2] = 0
    p = np.clip(0.2 * truth + 0.5 * rng.random((40, 3)), 0, 1).round(2)
    found = micro_f1.best_thresholds(truth, p)
    assert found[2] == 0.5
    ours = micro_f1.by_label(truth, p >= found)
    for k in range(2):
        every = [micro_f1.by_label(truth[:, [k]], p[:, [k]] >= t)[0] for t in np.append(np.unique(p[:, k]), 1.1)]
        assert ours[k] == pytest.approx(np.nanmax(every))


def test_scores_by_hand():
    truth, given = np.array([[1, 0], [1, 1]]), np.array([[1, 1], [0, 1]])
    assert micro_f1.score(truth, given) == pytest.approx(2 * 2 / (3 + 3))
    assert micro_f1.by_label(truth, given).tolist() == pytest.approx([2 / 3, 2 / 3])


def test_one_against_the_rest_knows_words():
    table = planted(0, 80)
    truth = LabelSetCodec(("late", "wet"), None).encode(table["labels"])
    p, thresholds = tfidf_each.answer(
        tfidf_each.fit(table["text"].to_list(), truth, 2, micro_f1.best_thresholds), planted(1, 60)["text"].to_list()
    )
    right = (p >= thresholds) == LabelSetCodec(("late", "wet"), None).encode(planted(1, 60)["labels"])
    assert right[:, 1].mean() > 0.95


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (
            planted(0, 30),
            {"source": None, "target": "labels", "multi_label": False, "separator": ";"},
            "needs --multi-label",
        ),
        (planted(0, 30).with_columns(labels=pl.lit("a")), {}, "expected 2 to"),
        (
            pl.DataFrame({"x": np.arange(30.0), "y": ["a", "b"] * 15}),
            {"source": "x", "target": "y"},
            "is for documents",
        ),
    ],
)
def test_faults_are_one_line(table, options, message):
    with pytest.raises((DataError, OptionError), match=message) as error:
        saiki.train("classify", table, **(QUICK | options))
    assert "\n" not in str(error.value)


def test_an_empty_field_of_a_table_is_no_label(tmp_path):
    rows = planted(3, 80)
    rows.with_columns(pl.col("labels").list.join(";")).write_csv(tmp_path / "sets.csv")
    model = saiki.train("classify", tmp_path / "sets.csv", **QUICK | {"steps": 5})
    found = model.task.answered(model.network, tmp_path / "sets.csv").sort("unique_id")
    assert len(found) == 80
    assert found["truth"].to_list() == [";".join(labels) for labels in rows["labels"]]


def test_a_report_of_lists(tmp_path, made):
    model, _ = made
    write_report(tmp_path / "r.html", model, model.evaluate(planted(4, 20)), title="sets")
    assert "Labels" in (tmp_path / "r.html").read_text()


def test_labels_are_parted_as_they_are_there():
    """By another mark than training had, or as text where it had lists; labels that nobody knows are told."""
    codec = LabelSetCodec(("a", "b"), ";")
    expected = [[1, 1], [0, 1], [0, 0]]
    for labels in (["a;b", "b", None], ["a | b", "b", ""], [["a", "b"], ["b"], []]):
        assert codec.encode(pl.Series("y", labels)).tolist() == expected
    assert LabelSetCodec(("a", "b"), None).encode(pl.Series("y", ["a;b", "b", None])).tolist() == expected
    with pytest.warns(SaikiWarning, match="1 of 3 labels, such as 'c', are not among"):
        assert codec.encode(pl.Series("y", ["a;c", "b"])).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(DataError, match="expected some of a, b"):
        codec.encode(pl.Series("y", ["c", "d"]))
