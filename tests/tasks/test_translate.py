"""The task translate: a planted rule is learned, answers do not depend on their neighbours, what is wrong is one line."""

from __future__ import annotations

import copy

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.cli import run
from saiki.errors import DataError, OptionError
from saiki.modalities.text import UNKNOWN, TextOptions, fit
from saiki.tasks.translate import toy

QUICK = {"steps": 4, "width": 16, "layers": 1, "batch": 16, "units": "words"}


@pytest.fixture(scope="module")
def model():
    return saiki.train("translate", toy(0, pairs=60), **QUICK)


@pytest.mark.slow
def test_reversing_and_capitals_are_learned():
    model = saiki.train("translate", toy(1, pairs=1500), units="words", width=64, epochs=14, batch=32, seed=1)
    fresh = toy(2, pairs=300)
    found = model.evaluate(fresh)
    assert found.scores["saiki"]["exact"] >= 0.99
    assert found.beats_baselines


def test_answers_and_scores(model):
    answers = model.predict([one for one, _ in toy(3, pairs=5)])
    assert answers.columns == ["source", "saiki"]
    assert len(answers) == 5
    texts = answers["source"].to_list()
    frame = pl.DataFrame({"source": texts}).to_pandas().set_axis([9, 4, 1, 7, 3], axis=0)
    beside = model.predict(frame)
    assert beside.index.tolist() == [9, 4, 1, 7, 3]
    assert beside["saiki"].to_list() == answers["saiki"].to_list()
    assert model.predict(frame["source"])["saiki"].to_list() == answers["saiki"].to_list()
    found = model.validation
    assert set(found.scores) == {"saiki", "copy_source", "translation_memory"}
    assert set(found.scores["saiki"]) == {"bleu", "chrf", "exact"}
    assert "nrefs:1" in " ".join(found.notes)


@pytest.mark.parametrize("options", [{}, {"beam": 1}, {"beam": 3, "block": 2}, {"input_feeding": True}], ids=str)
def test_together_is_one_by_one(options):
    model = saiki.train("translate", toy(0, pairs=60), **QUICK, longest=8, **options)
    texts = ["ka", *(one for one, _ in toy(3, pairs=6))]
    together = model.predict(texts)["saiki"].to_list()
    assert together == [model.predict([text])["saiki"][0] for text in texts]


@pytest.mark.parametrize("options", [{}, {"beam": 3}], ids=str)
def test_the_longest_answer_is_by_the_source_alone(options):
    model = saiki.train("translate", toy(0, pairs=60), **QUICK | {"steps": 1}, **options)
    texts = ["ka", "ka to mi ru se no ha yo ka to mi ru se no ha yo"]
    assert model.predict(texts)["saiki"].to_list() == [model.predict([text])["saiki"][0] for text in texts]


def test_how_it_searches_may_be_told_anew(model, tmp_path):
    texts = [one for one, _ in toy(3, pairs=6)]
    short = model.predict(texts, longest=1, beam=1)["saiki"].to_list()
    assert all(len(text.split()) <= 1 for text in short)
    assert short == model.answering(longest=1, beam=1).predict(texts)["saiki"].to_list()
    assert model.task.options.longest is None
    pairs = toy(4, pairs=10)
    cut = model.evaluate(pairs, longest=1).scores["saiki"]
    assert cut == model.answering(longest=1).evaluate(pairs).scores["saiki"] != model.evaluate(pairs).scores["saiki"]
    with pytest.raises(OptionError, match=r"option beam: .*greater than or equal to 1 \(got 0\)"):
        model.predict(texts, beam=0)
    with pytest.raises(OptionError, match="no option 'beem'; did you mean 'beam'"):
        model.predict(texts, beem=3)
    with pytest.raises(OptionError, match="answers of the task translate have no option 'level'"):
        model.answering(level=80)
    model.save(tmp_path / "m")
    (tmp_path / "new.txt").write_text("ka to\nmi ru se\n")
    asked = ["predict", str(tmp_path / "m"), str(tmp_path / "new.txt"), "--out", str(tmp_path / "a.csv")]
    assert run([*asked, "--longest", "1", "--beam", "2", "--block", "2", "--length-penalty", "0"]) == 0
    assert all(len((text or "").split()) <= 1 for text in pl.read_csv(tmp_path / "a.csv")["saiki"])


def test_blanks_around_a_source_mean_nothing():
    model = saiki.train("translate", toy(0, pairs=60), **QUICK | {"units": "characters"})
    assert model.predict(["ka to", "  ka to \n"])["saiki"].n_unique() == 1


def test_a_saved_model_answers_alike(model, tmp_path):
    model.save(tmp_path / "m")
    texts = [one for one, _ in toy(3, pairs=4)]
    again = saiki.load(tmp_path / "m")
    assert again.predict(texts).equals(model.predict(texts))
    assert again.evaluate(toy(4, pairs=10)).scores["saiki"] == model.evaluate(toy(4, pairs=10)).scores["saiki"]


def test_parallel_files(tmp_path):
    for side, place in (("en", 0), ("up", 1)):
        lines = [pair[place] for pair in toy(0, pairs=60)]
        (tmp_path / f"train.{side}").write_text("\n".join(lines), encoding="utf-8")
    model = saiki.train("translate", tmp_path / "train", source="en", target="up", **QUICK)
    assert len(model.predict(tmp_path / "train.en")) == 60
    assert model.evaluate(tmp_path / "train").scores["saiki"]["exact"] >= 0


@pytest.mark.parametrize("options", [{"coverage": True}, {"scheduled_sampling": 0.5}, {"attention": "none"}], ids=str)
def test_options_change_what_is_learned(model, options):
    other = saiki.train("translate", toy(0, pairs=60), **QUICK, **options)
    same = {n: w for n, w in model.network.named_parameters() if "attention" not in n and "coverage" not in n}
    assert any(not w.equal(dict(other.network.named_parameters())[n]) for n, w in same.items())


def test_an_unknown_word_is_copied_from_where_it_was_read(model):
    task, network = model.task, model.network
    row = task.source.encode(" ka to")
    text = task._text(network, "ka to", row, [0])
    place = int(task._weights(network, row, [0])[0].argmax())
    assert text == ["ka", "to"][place]


@pytest.mark.parametrize("split", [(True, True), (True, False), (False, True), (False, False)])
def test_copied_words_stand_apart_however_both_sides_are_cut(model, split):
    task, network = copy.copy(model.task), model.network
    task.source, task.target = (
        fit([f" {one}" for one in side], TextOptions(units="words", split=cut))
        for side, cut in zip(zip(*toy(0, pairs=60), strict=True), split, strict=True)
    )
    words, said = ["ka", "zz", "to"], [UNKNOWN, 2, UNKNOWN]
    row = task.source.encode(" ka zz to")
    first, _, last = task._weights(network, row, said).argmax(1).tolist()
    expected = [words[first], task.target.name(2).strip(), words[last]]
    assert task._text(network, "ka zz to", row, said) == " ".join(expected)


def test_answers_are_not_read_where_they_are_asked_for(model, tmp_path):
    for side, place in (("en", 0), ("up", 1)):
        lines = [pair[place] for pair in toy(0, pairs=40)]
        (tmp_path / f"train.{side}").write_text("\n".join(lines), encoding="utf-8")
    parallel = saiki.train("translate", tmp_path / "train", source="en", target="up", **QUICK)
    (tmp_path / "test.en").write_text("ka to\n\nmi\n")
    for given in ("test", "test.en"):
        assert parallel.predict(tmp_path / given)["source"].to_list() == ["ka to", "", "mi"]
    (tmp_path / "pairs.txt").write_text("".join(f"{one}\t{other}\n" for one, other in toy(0, pairs=40)))
    (tmp_path / "new.txt").write_text("ka to\tTO KA\nmi\t\n")
    columns = saiki.train("translate", tmp_path / "pairs.txt", **QUICK)
    assert columns.predict(tmp_path / "new.txt")["source"].to_list() == ["ka to", "mi"]
    assert model.predict(tmp_path / "new.txt")["source"].to_list() == ["ka to", "mi"]  # as evaluate reads it
    with pytest.raises(DataError, match="no pair with text on both sides, and 2 with an empty side"):
        model.evaluate([("ka", ""), ("", "KA")])


def test_once_more_on_all_data_has_what_was_held_out_but_not_other_data():
    model = saiki.train("translate", toy(0, pairs=60), **QUICK, holdout=0.2, refit=True)
    task = model.task
    assert model.run["refit"]
    assert len(task.problem(8).train[0]) == len(task.training)
    for valid in (None, toy(5, pairs=9)):
        again = task.problem(8, valid, whole=True)
        assert len(again.train[0]) == len(again.train[1]) == len(task.training) + len(task.held)
        assert again.valid is None


def test_attention_of_an_answer(model):
    ((source, answer, weights),) = model.attention(["ka to mi"])
    assert weights.shape == (len(answer), len(source)) == (len(answer), 3)
    if len(answer):
        np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)


def test_units_follow_the_texts():
    dates = [(f"{d} may {1900 + d}", f"{1900 + d}-05-{d:02d}") for d in range(1, 29)]
    assert saiki.train("translate", dates, steps=1, width=8).task.source.units == "characters"
    assert saiki.train("translate", toy(0, pairs=40), steps=1, width=8).task.source.units == "bytepair"


def test_what_is_wrong_is_one_line(tmp_path):
    with pytest.raises(DataError, match="holds 1 pairs of texts; expected at least 2"):
        saiki.train("translate", [("a", "b")], **QUICK)
    with pytest.raises(OptionError, match="attention: got 'pool'; translate takes additive, dot, general or none"):
        saiki.train("translate", toy(0, pairs=20), **QUICK, attention="pool")
    with pytest.raises(OptionError, match="coverage needs attention"):
        saiki.train("translate", toy(0, pairs=20), **QUICK, attention="none", coverage=True)
    with pytest.raises(
        OptionError, match="--attention dot: got 16 numbers per step of the answer and 32 of the source"
    ):
        saiki.train("translate", toy(0, pairs=20), **QUICK, attention="dot")
    saiki.train("translate", toy(0, pairs=20), **QUICK, attention="dot", merge="sum")
    with pytest.raises(OptionError, match="target: got 2 columns; translate reads one"):
        saiki.train("translate", pl.DataFrame({"a": ["x"], "b": ["y"]}), source="a", target=["a", "b"], **QUICK)


def test_evaluate_writes_every_answer_beside_the_truth(model, tmp_path):
    model.save(tmp_path / "m")
    pl.DataFrame(toy(4, pairs=6), schema=["source", "target"], orient="row").write_csv(tmp_path / "t.csv")
    asked = ["evaluate", str(tmp_path / "m"), str(tmp_path / "t.csv"), "--out", str(tmp_path / "o.csv"), "--quiet"]
    assert run(asked) == 0
    found = pl.read_csv(tmp_path / "o.csv")
    assert found.columns == ["source", "truth", "saiki"]
    assert found["truth"].to_list() == [target for _, target in toy(4, pairs=6)]


def test_the_decoder_begins_with_what_is_frequent():
    model = saiki.train("translate", [("a", "x x x y")] * 30 + [("b", "x y")] * 30, **QUICK | {"steps": 1})
    fresh = model.task.network(model.network_options, model.width, 0)
    bias = fresh.decoder.bias.detach().exp()
    assert float(bias.sum()) == pytest.approx(1, abs=1e-5)
    units = {symbol.strip(): float(bias[k]) for k, symbol in enumerate(model.task.target.symbols)}
    assert units["x"] > units["y"] > float(bias[UNKNOWN])
