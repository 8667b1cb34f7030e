"""Documents are classified from a column of text: a planted rule is found, and series are still series."""

import re

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.baselines import tfidf
from saiki.data.texts import documents, layout_for, text_column
from saiki.errors import DataError, ModelError, OptionError
from saiki.readers import read_frame
from saiki.reporting.page import render
from saiki.tasks._passages import contributions

NOUNS = ["cat", "dog", "tree", "house", "river", "stone"]


def planted(seed, rows):
    """The label is whether "not" stands before "good" or before "bad": a bag of words cannot tell."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(rows):
        words = list(rng.choice(NOUNS, rng.integers(3, 8)))
        good = bool(rng.integers(2))
        first, second = ("good", "bad") if good else ("bad", "good")
        words[1:1] = [first, str(rng.choice(NOUNS))]
        words += [str(rng.choice(NOUNS)), second]
        texts.append(" ".join(words))
        labels.append("up" if good else "down")
    return pl.DataFrame({"review": texts, "label": labels})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    model = saiki.train(
        "classify", planted(0, 120), source="review", target="label", out=folder / "m", steps=60, width=12, embedding=8,
        ensemble=1, dropout=0.0, input_dropout=0.0, learning_rate=0.02, batch=32, seed=1, average=0.0, validations=2,
    )  # fmt: skip
    return model, folder / "m"


def test_the_order_of_words_is_learned_and_the_bag_of_words_is_beaten(made):
    model, path = made
    found = model.evaluate(planted(1, 100))
    assert found.scores["saiki"]["accuracy"] > 0.9
    assert found.beats_baselines
    assert set(found.scores) == {"saiki", "majority", "tfidf"}
    loaded = saiki.load(path)
    assert loaded.evaluate(planted(1, 100)).to_json() == found.to_json()
    answer = loaded.predict(planted(2, 5).drop("label"))
    assert answer.columns == ["unique_id", "saiki", "saiki-down", "saiki-up"]
    assert len(answer) == 5


def test_documents_together_are_as_one_by_one(made):
    model, _ = made
    frame = planted(3, 6)
    together = model.predict(frame)["saiki-up"].to_numpy()
    alone = [model.predict(frame[k : k + 1])["saiki-up"][0] for k in range(6)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_column_of_text_is_told_from_series():
    frame = read_frame(planted(0, 3))
    assert text_column(frame, {"target": "label"}) == "review"
    assert text_column(frame, {"target": "label", "source": ["review"]}) == "review"
    numbers = read_frame(pl.DataFrame({"unique_id": ["a"], "x": [1.0], "y": ["b"]}))
    assert text_column(numbers, {}) is None
    assert text_column(numbers, {"source": "x"}) is None


def test_numbers_of_rows_do_not_hide_texts_and_several_columns_are_asked_about():
    frame = planted(0, 40).rename({"review": "text", "label": "y"})
    for name in ("id", "", "row"):
        assert text_column(read_frame(frame.with_row_index(name)), {}) == "text"
    ids = frame.with_columns(unique_id=pl.int_range(40).cast(pl.String))
    assert text_column(read_frame(ids), {}) == "text"
    with pytest.raises(DataError, match=r"2 columns of text \(text, title\); name what is to be read with --source"):
        text_column(read_frame(frame.with_columns(title=pl.col("text"))), {})
    with pytest.raises(DataError, match=r"1 column of text \(text\) beside 1 of numbers .* --source text"):
        text_column(read_frame(frame.with_columns(likes=pl.int_range(40) % 7)), {})
    named = frame.with_columns(likes=pl.int_range(40) % 7, text=pl.lit("shop ") + pl.int_range(40).cast(pl.String))
    assert text_column(read_frame(named), {}) is None  # names beside numbers: series


def test_copies_in_training_and_validation_are_told():
    frame = planted(0, 30)
    model = saiki.train("classify", pl.concat([frame, frame]), source="review", target="label", steps=1, width=4)
    assert any("stand in the table more than once" in says for _, says in model.understood)
    clean = saiki.train("classify", frame.unique(), source="review", target="label", steps=1, width=4)
    assert not any("more than once" in says for _, says in clean.understood)


def test_bad_documents_are_one_line(made):
    frame = planted(0, 30)
    one = frame.with_columns(label=pl.lit("up"))
    with pytest.raises(DataError, match="holds only 'up'; expected two classes"):
        saiki.train("classify", one, source="review", target="label", steps=1)
    with pytest.raises(DataError, match="no column 'lable'; did you mean 'label'"):
        saiki.train("classify", frame, source="review", target="lable", steps=1)
    with pytest.raises(OptionError, match="vocabulary 900 is larger than the data"):
        saiki.train("classify", frame, source="review", target="label", vocabulary=900, steps=1)
    with pytest.raises(OptionError, match="--augment changes series of numbers"):
        saiki.train("classify", frame, source="review", target="label", augment="noise", steps=1)
    with pytest.raises(DataError, match="none of the documents has an answer in column 'label' that training knows"):
        made[0].evaluate(frame.with_columns(label=pl.lit("sideways")))
    with pytest.raises(DataError, match="holds Int64; the model reads text there"):
        made[0].predict(pl.DataFrame({"review": [1]}))


def test_a_constant_answer_has_an_area_of_one_half(made):
    """However the shares of the classes differ between the parts that are left out."""
    scores = made[0].validation.scores
    assert scores["majority"]["auc"] == pytest.approx(0.5)
    assert scores["saiki"]["auc"] > 0.9
    apart = saiki.train(
        "classify", planted(1, 61), source="review", target="label", steps=2, width=4, embedding=4, ensemble=3
    )
    assert apart.validation.scores["majority"]["auc"] == pytest.approx(0.5)


def test_answers_have_the_index_of_a_pandas_frame(made):
    model = made[0]
    frame = planted(3, 9).to_pandas().sample(frac=1, random_state=0)
    answer = model.predict(frame)
    assert answer.index.tolist() == frame.index.tolist()
    assert answer["saiki"].to_list() == model.predict(frame.reset_index(drop=True))["saiki"].to_list()


def test_a_missing_label_of_a_pandas_table_is_unknown():
    frame = planted(0, 30).with_columns(
        label=pl.when(pl.int_range(30) > 3).then((pl.col("label") == "up").cast(pl.Int64))
    )
    layout = layout_for("review", {"target": "label"}, None)
    found = documents(frame.to_pandas(), layout)
    assert found.known.tolist() == [False] * 4 + [True] * 26
    assert found.answers.cast(pl.Int64).equals(frame["label"])


def test_tfidf_knows_words_it_has_seen_and_answers_for_none():
    texts = ["good film", "bad film"] * 20
    fitted = tfidf.fit(texts, np.array([1, 0] * 20), 2)
    found = tfidf.answer(fitted, ["a good one", "bad bad", ""])
    np.testing.assert_allclose(found.sum(1), 1)
    assert found[0].argmax() == 1
    assert found[1].argmax() == 0
    nothing = tfidf.fit(["", " "], np.array([0, 1]), 2)
    np.testing.assert_allclose(tfidf.answer(nothing, ["x"]), [[0.5, 0.5]])


def test_text_is_classified_as_it_arrives():
    model = saiki.train(
        "classify", planted(0, 40), source="review", target="label", steps=3, width=6, embedding=4, ensemble=2, layers=2,
        bidirectional=False, seed=1,
    )  # fmt: skip
    stream, text = model.stream(), ""
    for piece in ["", "the ca", "t good", " not", " bad river", "\n"]:
        found = stream.push({"id": 7, "review": piece})
        stream.push({"id": 8, "review": "bad "})
        text += piece
        whole = model.predict(pl.DataFrame({"review": [text]}))
        assert found["id"] == 7
        assert found["saiki"] == whole["saiki"][0]
        assert found["saiki-up"] == pytest.approx(whole["saiki-up"][0], abs=1e-6)
    with pytest.raises(DataError, match="the row has no 'review'"):
        stream.push({"id": 7, "text": "a"})
    with pytest.raises(DataError, match="a stream reads 2,000 at most"):
        stream.push({"id": 7, "review": "cat " * 2100})


def test_what_needs_the_whole_document_says_which_option_forbids_a_stream(made):
    with pytest.raises(ModelError, match="--bidirectional needs the whole document"):
        made[0].stream()


@pytest.mark.slow
def test_attention_shows_what_was_looked_at():
    """The label is one word in a text that is read forwards: what is looked at stands at it or behind it."""
    rng = np.random.default_rng(0)
    rows = [([*rng.choice(NOUNS, 12)], bool(rng.integers(2))) for _ in range(80)]
    for words, good in rows:
        words[int(rng.integers(12))] = "fine" if good else "poor"
    table = pl.DataFrame({"review": [" ".join(words) for words, _ in rows], "label": [str(good) for _, good in rows]})
    model = saiki.train(
        "classify", table, source="review", target="label", pooling="attention", steps=60, width=8, embedding=8, ensemble=1,
        dropout=0.0, input_dropout=0.0, learning_rate=0.03, average=0.0, validations=2, seed=1, bidirectional=False,
    )  # fmt: skip
    found = model.attention(table[:20])
    assert all(weights.sum() == pytest.approx(1, abs=1e-4) for _, weights in found)
    keys = [next(k for k, unit in enumerate(units) if unit in ("fine", "poor")) for units, _ in found]
    more = [weights[key:].sum() - (12 - key) / 12 for key, (_, weights) in zip(keys, found, strict=True)]
    assert np.mean(more) > 0.05  # than if all units counted alike: before the word, nothing is known
    (table_of,) = [t for t in model.evaluate(table).tables if t.title == "What attention looked at"]
    assert len(table_of.rows) == 10
    with pytest.raises(ModelError, match="--pooling attention needs the whole document"):
        model.stream()


def test_without_attention_there_is_none_to_show(made):
    with pytest.raises(ModelError, match="train with --pooling attention"):
        made[0].attention(planted(0, 2))


def many_sentences(seed, rows):
    """Six sentences; the label is the order of good and bad in the one sentence of the judge."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(rows):
        orders = rng.integers(2, size=6)
        key = int(rng.integers(6))
        said = [f"the {rng.choice(NOUNS)} said {'good then bad' if order else 'bad then good'}." for order in orders]
        said[key] = f"the judge said {'good then bad' if orders[key] else 'bad then good'}."
        texts.append(" ".join(said))
        labels.append("up" if orders[key] else "down")
    return pl.DataFrame({"review": texts, "label": labels})


def test_documents_sentence_by_sentence(tmp_path):
    frame = many_sentences(0, 40)
    options = {"source": "review", "target": "label", "hierarchical": True, "steps": 2, "width": 6, "embedding": 4,
               "ensemble": 1}  # fmt: skip
    model = saiki.train("classify", frame, **options, seed=1)
    model.save(tmp_path / "m")
    loaded = saiki.load(tmp_path / "m")
    assert loaded.evaluate(frame).to_json() == model.evaluate(frame).to_json()
    awkward = pl.DataFrame({"review": ["", "good.", "the cat said good " * 40, "\n\nBad! Good? " * 30]})
    together = loaded.predict(awkward)["saiki-up"].to_numpy()
    alone = [model.predict(awkward[k : k + 1])["saiki-up"][0] for k in range(4)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    (table,) = [t for t in model.evaluate(frame).tables if t.title == "What attention looked at"]
    assert len(table.rows) == 10
    with pytest.raises(ModelError, match="--hierarchical needs whole sentences"):
        model.stream()
    numbers = pl.DataFrame({"unique_id": ["a", "b"], "x": [1.0, 2.0], "y": ["u", "v"]})
    with pytest.raises(OptionError, match="--hierarchical is for documents"):
        saiki.train("classify", numbers, hierarchical=True, steps=1)


@pytest.mark.slow
def test_the_one_sentence_that_matters_is_found():
    model = saiki.train(
        "classify", many_sentences(0, 300), source="review", target="label", hierarchical=True, steps=250, width=16,
        embedding=12, ensemble=1, dropout=0.0, input_dropout=0.0, learning_rate=0.02, batch=32, seed=1, average=0.0,
        validations=4,
    )  # fmt: skip
    fresh = many_sentences(1, 100)
    found = model.evaluate(fresh)
    assert found.scores["saiki"]["accuracy"] > 0.95
    assert found.beats_baselines
    shares = []
    for units, weights in model.attention(fresh[:20]):
        start = units.index("judge") - 1
        shares.append(weights[start : start + 7].sum())
    assert np.mean(shares) > 0.5  # of six sentences


@pytest.mark.parametrize("options", [{}, {"hierarchical": True}, {"ensemble": 2, "layers": 2}], ids=str)
def test_contributions_sum_to_what_the_text_changed(options):
    quick = {"steps": 2, "width": 6, "embedding": 4, "ensemble": 1} | options
    model = saiki.train("classify", many_sentences(0, 40), source="review", target="label", seed=1, **quick)
    batch = model.task._encode(model.task.read(many_sentences(1, 1))).batch(np.array([0]))
    found = contributions(model.network, batch, points=1000)  # the largest over steps has kinks
    assert found.shape == (int(batch["lengths"][0]),)
    whole = model.network(batch).max(1)
    members = model.network.members
    at_nothing = [m.scores(torch.zeros_like(m.embedding(batch["values"][..., 0])), batch) for m in members]
    changed = whole.values - model.network.together(at_nothing)[:, whole.indices[0]]
    assert float(found.sum()) == pytest.approx(float(changed.detach()), rel=2e-3, abs=1e-5)


def test_a_report_shows_the_words_that_made_the_answer(made):
    model, _ = made
    frame = planted(1, 20).with_columns(review=pl.col("review") + " <b>zebra</b>")
    page = render(model, model.evaluate(frame), "title")
    passages = re.findall(r'<p class="passage"><b>(.*?)</b><br>(.*?)</p>', page)
    assert len(passages) == 8
    says, words = passages[0]
    label, text = frame["label"][0], frame["review"][0]
    assert says in (f"1: answered up, in truth {label}", f"1: answered down, in truth {label}")
    assert "&lt; b &gt;" in words or "&lt;b&gt;" in words  # unknown words stand as they are, and are escaped
    shades = re.findall(r'style="--s:(\d+)%">(\w+)<', " ".join(words for _, words in passages))
    strong = {word for share, word in shades if int(share) > 50}
    assert strong & {"good", "bad"}
    assert text.split()[0] in words


def spoken(seed, rows):
    """The label is whether a word of praise or one of blame stands in the text: a bag of words can tell, from few texts."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=rows).astype(bool)
    said = np.where(labels, rng.choice(["fine", "great"], rows), rng.choice(["poor", "dull"], rows))
    texts = [" ".join([*rng.choice(NOUNS, 6), word, *rng.choice(NOUNS, 6)]) for word in said]
    return pl.DataFrame({"review": texts, "label": np.where(labels, "up", "down").tolist()})


HARDLY = {"source": "review", "target": "label", "steps": 1, "width": 4, "embedding": 4, "seed": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [{}, {"valid": True}, {"refit": True}, {"calibrate": False}, {"class_weight": "balanced"}], ids=str
)
def test_a_bag_of_words_has_the_share_that_held_out_documents_ask_for(more, tmp_path):
    if "valid" in more:
        more = {"valid": spoken(2, 60)}
    model = saiki.train("classify", spoken(0, 120), **HARDLY, **more, out=tmp_path / "m")
    assert model.task.beside > 0.5
    found = model.evaluate(spoken(1, 200))
    assert found.scores["saiki"]["accuracy"] == found.scores["tfidf"]["accuracy"] == 1
    assert found.scores["saiki"]["log_loss"] < 0.25
    (note,) = [n for n in found.notes if "alone" in n]
    assert re.fullmatch(r"tfidf has a share in the answers; the network alone has accuracy [\d.]+\.", note)
    assert any(word == "baseline" and "tfidf has a share" in says for word, says in model.task.facts())
    loaded = saiki.load(tmp_path / "m")
    assert loaded.evaluate(spoken(1, 200)).to_json() == found.to_json()
    assert loaded.predict(spoken(1, 9)).equals(model.predict(spoken(1, 9)))


def test_without_a_share_the_network_is_alone():
    model = saiki.train("classify", spoken(0, 60), **HARDLY, baseline_share=False)
    assert model.task.beside == 0
    found = model.evaluate(spoken(1, 200))
    assert found.scores["tfidf"]["accuracy"] == 1
    assert found.scores["saiki"]["accuracy"] < 0.9
    assert not any("alone" in note for note in found.notes)


def test_a_stream_of_text_knows_the_share_too():
    model = saiki.train("classify", spoken(0, 60), **HARDLY, bidirectional=False)
    assert model.task.beside > 0.5
    stream, text = model.stream(), ""
    for piece in ["the cat", " is gre", "at", " or po", "or, poor"]:
        found = stream.push({"review": piece})
        text += piece
        assert found["saiki-up"] == pytest.approx(
            model.predict(pl.DataFrame({"review": [text]}))["saiki-up"][0], abs=1e-6
        )


def test_texts_in_characters_are_known_by_runs_of_them():
    ends = ("ov", "sen", "ini")
    names = [
        (f"{a}{b}{end}", kind) for a in ("mar", "pet", "kol", "ser") for b in "aeiou" for kind, end in enumerate(ends)
    ]
    texts, truth = [name for name, _ in names], np.array([kind for _, kind in names])
    fitted = tfidf.fit(texts, truth, 3, characters=True)
    assert tfidf.answer(fitted, ["dralov", "dralsen", "dralini"]).argmax(1).tolist() == [0, 1, 2]


def test_lists_of_texts_and_of_pairs_are_documents(made):
    model, _ = made
    frame = planted(3, 6)
    assert model.predict(frame["review"].to_list())["saiki"].to_list() == model.predict(frame)["saiki"].to_list()
    assert model.evaluate(list(frame.iter_rows())).scores == model.evaluate(frame).scores
    assert saiki.train("classify", list(planted(0, 40).iter_rows()), steps=1, width=4).task.label.names == [
        "down",
        "up",
    ]


def test_what_is_for_series_is_refused_for_documents():
    frame = planted(0, 40).with_columns(amount=pl.lit(1.0))
    for given, name in (({"static": ["amount"]}, "static"), ({"patch": 4}, "patch"), ({"fill": "last"}, "fill")):
        with pytest.raises(OptionError, match=f"--{name} is for series"):
            saiki.train("classify", frame, source="review", target="label", steps=1, **given)


def test_long_documents_are_told_and_empty_lines_are_answered(tmp_path, made):
    first = pl.when(pl.int_range(40) < 2).then(pl.lit("cat " * 2100)).otherwise(pl.col("review"))
    long = planted(0, 40).with_columns(review=first)
    model = saiki.train("classify", long, source="review", target="label", steps=1, width=4)
    assert any("2 of 40 documents have more than 2,000 units" in says for _, says in model.understood)
    (tmp_path / "new.txt").write_text("good cat bad\n\nbad cat good\n\n")
    assert len(made[0].predict(tmp_path / "new.txt")) == 3
