"""The task generate: a planted rule is learned; writing, streaming and scoring agree; bad input is one line."""

import io
import json
import math

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.baselines import ngram
from saiki.cli import run
from saiki.data.tokens import Tokens, cut
from saiki.errors import DataError, ModelError, OptionError
from saiki.metrics import memorised
from saiki.modalities.text import TextCodec
from saiki.network.language import LanguageModel, Sizes
from saiki.network.options import Network
from saiki.network.stack import Stack
from saiki.network.streaming import StackStream
from saiki.tasks import _counted_share, _recipe
from saiki.tasks._reading import FRESH, WARM_UP, ReadingProblem, surprises
from saiki.tasks._writing import Pen
from saiki.tasks.generate import toy
from saiki.training.options import Training


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small model, trained for a moment."""
    folder = tmp_path_factory.mktemp("generate")
    (folder / "toy.txt").write_text(toy(length=6_000))
    model = saiki.train("generate", folder / "toy.txt", out=folder / "m", steps=40, width=24, batch=16, bptt=20, seed=1)
    return model, folder


def test_a_model_is_saved_loaded_and_judged_the_same(made):
    model, folder = made
    loaded = saiki.load(folder / "m")
    found = loaded.evaluate(folder / "toy.txt")
    assert found.to_json() == model.evaluate(folder / "toy.txt").to_json()
    assert set(found.scores) == {"saiki", "unigram", "ngram"}
    ours = found.scores["saiki"]
    assert ours["perplexity"] == pytest.approx(math.exp(ours["nats_per_character"]))
    assert ours["bits_per_character"] == pytest.approx(ours["nats_per_character"] / math.log(2))
    assert ours["nats_per_character"] < found.scores["unigram"]["nats_per_character"]
    assert loaded.generate(length=30, seed=4) == model.generate(length=30, seed=4)


def test_the_stream_scores_as_evaluate_does(made):
    model, folder = made
    text = toy(seed=3, length=120)
    (folder / "other.txt").write_text(text)
    stream = model.stream()
    parts = [stream.push({"text": part, "id": "a"}) for part in (text[:50], text[50:])]
    stream.push({"text": "abc", "id": "b"})
    nats = [n for part in parts for n in part["nats"]]
    told = [n for _, n in model.task.surprise(model.network, folder / "other.txt")]
    np.testing.assert_allclose(nats, told, atol=2e-5)
    assert sum(n["probability"] for n in parts[-1]["next"]) <= 1
    assert stream.push({"text": "", "id": "a"})["next"] == parts[-1]["next"]


def test_generation_equals_step_by_step_streaming(made):
    """The greedy continuation is what a stream's likeliest next unit gives, pushed again and again."""
    model, _ = made
    written = model.generate(prompt="abcd ", length=12, temperature=0)
    stream, answer = model.stream(), ""
    found = stream.push("abcd ")
    for _ in range(12):
        answer += found["next"][0]["text"]
        found = stream.push(found["next"][0]["text"])
    assert written == answer


def test_completions_cut_at_a_stop_stand_once(made):
    model, _ = made
    whole = model.generate(prompt="abcd ", length=4, candidates=6)
    found = model.generate(prompt="abcd ", length=4, candidates=6, stop=(" ",))
    assert len({text for text, _ in found}) == len(found)
    assert sum(p for _, p in found) == pytest.approx(sum(p for _, p in whole))


def test_a_beam_of_one_is_greedy_and_candidates_are_probable(made):
    model, _ = made
    greedy = model.generate(prompt="abcd ", length=12, temperature=0)
    assert model.generate(prompt="abcd ", length=12, beam=1) == greedy
    found = model.generate(prompt="abcd ", length=3, candidates=4)
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    pen = Pen(model.task, model.network)
    for text, p in found:
        pen.restart()
        product = 1.0
        for place, unit in enumerate(model.task.codec.encode("abcd " + text)):
            if place >= 5:
                possible = np.exp(pen.logarithms())[2:]  # neither the unknown unit nor the end is written here
                product *= possible[unit - 2] / possible.sum()
            pen.push(unit)
        assert product == pytest.approx(p, rel=1e-4)


def test_many_prompts_are_as_one_by_one(made):
    model, _ = made
    prompts = ["ab", "", "hgf hgf"]
    for how in ({"seed": 5}, {"beam": 3}, {"temperature": 0}):
        assert model.generate(prompt=prompts, length=9, **how) == [
            model.generate(prompt=p, length=9, **how) for p in prompts
        ]


def test_writing_stops_at_a_text_and_at_the_length(made):
    model, _ = made
    assert len(model.generate(length=57, seed=2)) == 57
    whole = model.generate(length=200, seed=2)
    assert "\n" in whole
    assert model.generate(length=200, seed=2, stop=("\n", "zz")) == whole[: whole.index("\n")]
    with pytest.raises(OptionError, match=r"option top_p: .* \(got 3\)"):
        model.generate(top_p=3)
    with pytest.raises(OptionError, match=r"option stop\.1: .* \(got ''\)"):
        model.generate(stop=("\n", ""))
    with pytest.raises(OptionError, match="got block 2 for units that are drawn; give --beam or --candidates"):
        model.generate(block=2)


def test_a_search_in_which_nothing_may_follow_ends_there(made):
    model, _ = made
    for how in ({"beam": 3}, {"candidates": 2}):
        found = model.generate(prompt="ab", length=50, block=1, **how)
        for text in [found] if isinstance(found, str) else [one for one, _ in found]:
            assert len(set(text)) == len(text) > 5


def test_a_refused_row_leaves_no_trace_in_a_stream(made, monkeypatch):
    model, _ = made
    stream, other = model.stream(), model.stream()
    for one, keys in ((stream, "ab"), (other, "a")):
        for key in keys:
            one.push({"id": key, "text": "abcd "})

    def refuse(codec, text):
        raise ValueError("such a text has no units")

    with monkeypatch.context() as broken:
        broken.setattr(TextCodec, "encode", refuse)
        with pytest.raises(ValueError, match="no units"):
            stream.push({"id": "a", "text": "dc"})
    monkeypatch.setattr("saiki.tasks._writing.MOST_TEXTS", 2)
    with pytest.raises(DataError, match="the new id 'c'; expected at most 2 texts at once"):
        stream.push({"id": "c", "text": "dc"})
    assert stream.push({"id": "a", "text": "dc"}) == other.push({"id": "a", "text": "dc"})


def test_a_resumed_run_is_the_same_run(tmp_path):
    """The carried state is part of a checkpoint."""
    (tmp_path / "t.txt").write_text(toy(length=3_000))
    options = {"steps": 14, "width": 12, "batch": 8, "bptt": 16, "checkpoint_every": 5, "seed": 3}

    class Stop:
        def stepped(self, progress, loss):
            if progress.step == 10:
                raise KeyboardInterrupt

        started = validated = ended = lambda self, *given: None

    whole = saiki.train("generate", tmp_path / "t.txt", out=tmp_path / "a", **options)
    stopped = saiki.train("generate", tmp_path / "t.txt", out=tmp_path / "b", hooks=[Stop()], **options)
    assert stopped.interrupted
    resumed = saiki.train("generate", tmp_path / "t.txt", out=tmp_path / "b", resume=True, **options)
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_goes_on_from_a_model(made, tmp_path):
    base, folder = made
    (tmp_path / "style.txt").write_text("abc cba\n" * 300)
    model = saiki.train("generate", tmp_path / "style.txt", from_=folder / "m", steps=20, batch=8, bptt=16)
    assert model.width == 24
    assert model.validation.scores["saiki"]["perplexity"] < 5
    assert base.task.groups > 0
    assert torch.equal(model.network.grams.keys, base.network.grams.keys)
    with pytest.raises(OptionError, match="width 9 is not that of the model to go on from, 24"):
        saiki.train("generate", tmp_path / "style.txt", from_=folder / "m", steps=2, width=9)
    with pytest.raises(OptionError, match="ngrams 3 is not that of the model to go on from, 6; leave --ngrams out"):
        saiki.train("generate", tmp_path / "style.txt", from_=folder / "m", steps=2, ngrams=3)
    saiki.train("generate", tmp_path / "style.txt", from_=folder / "m", steps=1, ngrams=6)


def test_going_on_needs_no_vectors_and_takes_no_other_units(tmp_path):
    (tmp_path / "t.txt").write_text("so far and so far and no further than that\n" * 60)
    (tmp_path / "v.txt").write_text("so 1 2 3\nfar 4 5 6\n")
    quick = {"steps": 2, "batch": 4, "bptt": 10}
    given = {"units": "words", "vectors": tmp_path / "v.txt", "width": 8}
    saiki.train("generate", tmp_path / "t.txt", out=tmp_path / "m", **given, **quick)
    (tmp_path / "v.txt").unlink()
    model = saiki.train("generate", tmp_path / "t.txt", from_=tmp_path / "m", **quick)
    assert model.network.sizes.embedding == 3
    assert model.task.options.vectors is None
    others = {"vectors": "v.txt", "vocabulary": 5, "fewest": 3, "tokenizer": "tokenizer.json", "split": True}
    for name, value in others.items():
        with pytest.raises(OptionError, match=f"leave --{name} out"):
            saiki.train("generate", tmp_path / "t.txt", from_=tmp_path / "m", **{name: value}, **quick)


def test_once_more_on_all_data_is_on_the_whole_text(made, tmp_path):
    task = made[0].task
    again = task.problem(4, whole=True)
    np.testing.assert_array_equal(again.text.values, np.concatenate([task.training.values, task.held.values]))
    assert again.held is None
    assert task.problem(4).text is task.training
    (tmp_path / "t.txt").write_text(toy(length=1_000))
    refit = saiki.train("generate", tmp_path / "t.txt", steps=4, width=8, batch=4, bptt=10, refit=True)
    assert refit.run["refit"]


def test_what_is_read_often_is_forgotten_sooner_unless_another_model_knew_it(made, tmp_path):
    _, folder = made
    (tmp_path / "style.txt").write_text("abc cba\n" * 300)
    sizes = {"steps": 10, "batch": 8, "bptt": 200}
    new = saiki.train("generate", tmp_path / "style.txt", width=8, **sizes)
    more = saiki.train("generate", tmp_path / "style.txt", from_=folder / "m", **sizes)
    asked = saiki.train("generate", tmp_path / "style.txt", width=8, weight_decay=0.02, **sizes)
    assert new.training_options.weight_decay == 0.3
    assert more.training_options.weight_decay == 0.01
    assert asked.training_options.weight_decay == 0.02
    assert _recipe.weight_decay(2, 1e4, 1e-3) == 0.01
    assert _recipe.weight_decay(6, 1e4, 1e-3) == 0.2
    assert _recipe.weight_decay(6, 1e6, 1e-3) == 0.01


@pytest.mark.parametrize(
    ("units", "ngrams", "longest"), [("characters", None, 6), ("characters", 1, 1), ("words", None, 1), ("words", 3, 3)]
)
def test_frequent_groups_of_units_have_vectors(tmp_path, units, ngrams, longest):
    (tmp_path / "t.txt").write_text("so far and so far and no further than that\n" * 60)
    model = saiki.train("generate", tmp_path / "t.txt", units=units, ngrams=ngrams, steps=2, width=8, batch=4, bptt=10)
    assert model.task.options.ngrams == longest
    assert (model.network.grams is not None) == (longest > 1)
    model.save(tmp_path / "m")
    loaded = saiki.load(tmp_path / "m")
    assert loaded.task.groups == model.task.groups
    assert loaded.evaluate(tmp_path / "t.txt").scores == model.evaluate(tmp_path / "t.txt").scores
    with pytest.raises(OptionError, match="ngrams"):
        saiki.train("generate", tmp_path / "t.txt", units=units, ngrams=17, steps=2)


def test_a_script_of_thousands_of_characters_has_shorter_groups(tmp_path):
    """Six characters of so many have no key of 63 bits: the default gives way, a wish is an error."""
    script = "".join(chr(0x4E00 + place) for place in range(2_000))
    (tmp_path / "t.txt").write_text(script * 6, encoding="utf-8")
    model = saiki.train("generate", tmp_path / "t.txt", steps=2, width=8, batch=4, bptt=10)
    assert model.task.options.ngrams == 5
    assert model.task.groups > 0
    with pytest.raises(OptionError, match="ngrams: got 6"):
        saiki.train("generate", tmp_path / "t.txt", steps=2, width=8, ngrams=6)


def test_wide_vectors_are_fewer_and_a_text_is_read_no_more_often_than_asked():
    assert _recipe.most_groups(80, 512) == 200_000
    assert _recipe.most_groups(10_000, 256) == 50_000
    often, twice = (Training(minutes=60, **more) for more in ({}, {"most_epochs": 2}))
    assert _recipe.passes(10_000, 80, "full", often, 128, 2) == 60
    assert _recipe.passes(10_000, 80, "full", twice, 128, 2) == 2


def test_what_is_frequent_is_probable_before_anything_is_learned(made):
    model, _ = made
    fresh = model.task.network(model.network_options, model.width, seed=0)
    counts = torch.tensor(model.task.counts) + 1.0
    torch.testing.assert_close(fresh.logarithms(torch.zeros(1, model.width))[0], (counts / counts.sum()).log())


def test_a_large_vocabulary_is_sampled_in_training_and_then_a_network_may_be_wider(tmp_path, monkeypatch):
    hour = Training(minutes=60)
    widths = [_recipe.width_for(1_000_000, 30_000, softmax, hour, 2) for softmax in ("full", "sampled")]
    assert widths[0] < widths[1]
    monkeypatch.setattr("saiki.network.language.FREQUENT", 4)
    monkeypatch.setattr("saiki.network.language.DRAWN", 3)
    monkeypatch.setattr(_recipe, "SAMPLED_ABOVE", 5)
    (tmp_path / "t.txt").write_text(toy(length=6_000))
    asked = {"steps": 60, "width": 24, "batch": 16, "bptt": 20, "seed": 1, "ngrams": 1, "counted": False}
    model = saiki.train("generate", tmp_path / "t.txt", out=tmp_path / "m", **asked)
    assert model.network.sizes.sampled
    assert model.task.options.softmax == "sampled"
    full = saiki.train("generate", tmp_path / "t.txt", softmax="full", **asked)
    ours, theirs = (m.validation.scores["saiki"]["nats_per_character"] for m in (model, full))
    assert ours == pytest.approx(theirs, rel=0.05)
    assert saiki.load(tmp_path / "m").evaluate(tmp_path / "t.txt").scores == model.evaluate(tmp_path / "t.txt").scores


@pytest.mark.parametrize("held", [0, 2, 4, 5, 8])
def test_every_document_ends_once_wherever_a_text_is_cut(held):
    documents = [("abcd", True), ("", True), ("efgh", True)]
    parts = [*cut(documents, 0, held), *cut(documents, held, None)] if held else list(cut(documents, 0, None))
    assert "".join(text for text, _ in parts) == "abcdefgh"
    assert sum(ends for _, ends in parts) == 3


def test_bad_input_is_one_line(made, tmp_path, capsys):
    model, folder = made
    with pytest.raises(DataError, match="the prompt has characters that the training text has not: 'é', '!'"):
        model.generate(prompt="abé!")
    with pytest.raises(
        DataError, match=r"got a text of 500 characters; expected a path, or a list of texts: give \[text\]"
    ):
        saiki.train("generate", "it is so\n\n" * 50, steps=1)
    with pytest.raises(OptionError, match="reads forwards"):
        saiki.train("generate", folder / "toy.txt", bidirectional=True, steps=1)
    with pytest.raises(ModelError, match="saiki generate"):
        model.predict(folder / "toy.txt")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "short.txt").write_text("a")
    for name, said in (("empty", "is empty"), ("binary", "holds no text"), ("short", "expected text with something")):
        assert (
            run(["train", "generate", str(tmp_path / f"{name}.txt"), "--out", str(tmp_path / "m"), "--steps", "1"]) == 2
        )
        error = capsys.readouterr().err
        assert said in error
        assert len(error.strip().splitlines()[-1:]) == 1
        assert not (tmp_path / "m").exists()


def test_the_command_writes_completes_and_compares(made, capsys):
    _, folder = made
    given = ["generate", str(folder / "m"), "--prompt", "abcd ", "--length", "40", "--json"]
    assert run([*given, "--against", str(folder / "toy.txt"), "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["text"]) == 40
    assert 0 <= found["memorised"]["10"] <= 1
    assert run([*given, "--candidates", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["candidates"]) == 2


def test_what_cannot_be_written_leaves_no_file(made, tmp_path, capsys):
    given = ["generate", str(made[1] / "m"), "--length", "5", "--out", str(tmp_path / "a.txt")]
    assert run([*given, "--prompt", "a"]) == 0
    assert len((tmp_path / "a.txt").read_text()) == 6
    assert run([*given, "--prompt", "a\udce4", "--force"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert run([*given[:-1], str(tmp_path / "none" / "a.txt")]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert len((tmp_path / "a.txt").read_text()) == 6


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "gru", "norm": "after"},
        {"cell": "mingru"},
        {"connection": "highway", "norm": "before"},
        {"attention": "causal"},
    ],
)
def test_a_stack_streams_as_it_steps(options):
    torch.manual_seed(0)
    stack = Stack(5, Network(**({"cell": "lstm", "layers": 2} | options)), 7).eval()
    stream, states = StackStream(stack), stack.initial_state(1)
    for x in torch.randn(6, 5):
        with torch.no_grad():
            y, states = stack.step(x[None], states)
        torch.testing.assert_close(stream.push(x), y[0])
    for (mine,), (theirs,) in zip(stream.state, states, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("sizes", [{}, {"tied": True}, {"adaptive": True}])
def test_probabilities_sum_to_one_and_the_loss_is_their_mean(sizes):
    torch.manual_seed(0)
    network = LanguageModel(Sizes(50, 6, **sizes), Network(layers=1), 9).eval()
    units = torch.randint(0, 50, (3, 8))
    h, _ = network(units[:, :-1])
    logs = network.logarithms(h.reshape(-1, 9))
    torch.testing.assert_close(logs.exp().sum(1), torch.ones(21))
    told = -logs.gather(1, units[:, 1:].reshape(-1, 1)).mean()
    torch.testing.assert_close(network.loss(units[:, :-1], units[:, 1:], None)[0], told)


def test_stretches_read_side_by_side_tell_what_one_line_tells():
    torch.manual_seed(0)
    network = LanguageModel(Sizes(7, 4), Network(layers=1), 6)
    values = np.random.default_rng(0).integers(2, 7, 4 * WARM_UP + 13)
    text = Tokens(values.astype(np.uint16), len(values), 0, "")
    np.testing.assert_allclose(surprises(network, text, lines=2), surprises(network, text, lines=1), atol=1e-4)


def test_batches_follow_each_other_and_an_epoch_is_the_text():
    values = np.arange(101, dtype=np.uint16)
    text = Tokens(values, len(values), 0, "")
    problem = ReadingProblem(text, None, batch=4, bptt=5, seed=0)
    batches = [problem.draw(np.random.default_rng(0), step) for step in range(problem.epoch)]
    assert [b["begins"] for b in batches] == [True, False, False, False, False]
    seen = torch.cat([b["units"] for b in batches], 1)
    assert len(set(seen.flatten().tolist())) == 100
    for b in batches:
        assert ((b["units"] + 1) % 101 == b["following"]).all()


def test_a_stretch_begins_afresh_now_and_then():
    """Those rows from the states of a beginning, the others from the carried ones; drawn from the seed of the step."""
    torch.manual_seed(0)
    network = LanguageModel(Sizes(7, 4), Network(layers=2), 6).train()
    values = np.random.default_rng(0).integers(2, 7, 4001)
    problem = ReadingProblem(Tokens(values.astype(np.uint16), len(values), 0, ""), None, batch=4, bptt=5, seed=0)
    drawn = [problem.draw(np.random.default_rng([1, step]), step)["fresh"] for step in range(200)]
    assert 0.5 * FRESH < torch.stack(drawn).float().mean() < 2 * FRESH
    assert torch.equal(drawn[7], problem.draw(np.random.default_rng([1, 7]), 7)["fresh"])
    first, second = (problem.draw(np.random.default_rng(0), step) for step in (0, 1))
    second["fresh"] = torch.tensor([False, True, False, True])
    problem.loss(network, first)
    found = problem.loss(network, second)
    _, carried = network(first["units"])
    for afresh in (1, 3):
        for layer, start in zip(carried, network.initial_state(4), strict=True):
            layer[0].h[afresh] = start[0].h[afresh]
    expected, _ = network.loss(second["units"], second["following"], carried)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_ngrams_are_a_distribution_and_equal_counts_by_hand(order):
    rng = np.random.default_rng(order)
    training, text = rng.integers(0, 3, 300), rng.integers(0, 4, 12)
    total = sum(ngram.probabilities(training, np.append(text, unit), 4, order)[-1] for unit in range(4))
    assert total == pytest.approx(1)
    np.testing.assert_allclose(ngram.probabilities(training, text, 4, order), _by_hand(training, text, 4, order))


@pytest.mark.parametrize("fewest", [1, 2, 3])
def test_counts_of_frequent_ngrams_are_a_distribution_step_by_step_and_all_at_once(fewest):
    rng = np.random.default_rng(fewest)
    counts = ngram.count(rng.integers(0, 3, 400), 5, 4, fewest)
    text = np.concatenate([rng.integers(0, 5, 40), [4, 4], rng.integers(0, 3, 40)])
    together, before = counts.probabilities(text), counts.begin(1)
    for place, unit in enumerate(text):
        found = counts.following(before)
        assert found.sum() == pytest.approx(1)
        assert found[0, unit] == pytest.approx(together[place])
        before = counts.after(before, text[place : place + 1])
    several = np.repeat(before, 3, 0)
    np.testing.assert_array_equal(counts.after(several, np.array([0, 1, 2]))[1], counts.after(before, np.array([1]))[0])
    assert len(ngram.count(rng.integers(0, 3, 400), 5, 4, fewest + 1).keys) < len(counts.keys)


def test_a_text_shorter_than_an_ngram_is_counted():
    for length in (1, 2, 3):
        assert ngram.count(np.zeros(length, int), 3, 5, 2).following(
            np.array([[0, -1, -1, -1, -1]])
        ).sum() == pytest.approx(1)


def test_counts_have_a_share_that_held_out_text_settles(made):
    """A model that has hardly learned leaves much to the counts; what is judged, streamed and saved has them."""
    model, folder = made
    beside = model.task.beside
    assert 0.1 < beside.share < 1
    held = model.task.held
    alone = surprises(model.network, held, lines=1, opening=model.task.opening).mean()
    counted = -np.log(beside.counts.probabilities(np.asarray(held.values))).mean()
    assert model.validation.scores["saiki"]["nats_per_character"] < min(alone, counted)
    assert "have a share of" in dict(saiki.load(folder / "m").facts())["counted"]
    for options in ({"holdout": 0.0}, {"counted": False}):
        none = saiki.train("generate", folder / "toy.txt", steps=2, width=8, batch=4, bptt=10, **options)
        assert none.task.beside.counts is None
        assert "counted" not in dict(none.facts())


def test_going_on_keeps_the_old_counts_where_they_foresee_more(made, tmp_path):
    base, folder = made
    (tmp_path / "short.txt").write_text(toy(length=300, seed=3))
    on = {"from_": folder / "m", "steps": 1, "batch": 4, "bptt": 10}
    for holdout in (0.5, 0.0):
        found = saiki.train("generate", tmp_path / "short.txt", holdout=holdout, **on).task.beside
        np.testing.assert_array_equal(found.counts.keys, base.task.beside.counts.keys)
    assert found.share == base.task.beside.share


def test_a_long_text_is_counted_in_stretches(made, monkeypatch):
    model, folder = made
    units = model.task.read(folder / "toy.txt").take(0, 3000)
    nats = np.full(len(units), 2.0, np.float32)
    whole = model.task.beside.surprise(nats, units, model.task.opening)
    monkeypatch.setattr(_counted_share, "TOGETHER", 700)
    np.testing.assert_allclose(model.task.beside.surprise(nats, units, model.task.opening), whole, rtol=1e-6)


@pytest.mark.parametrize("seconds", [1e-9, 0.1])
def test_a_tiny_budget_counts_something(made, seconds):
    task = made[0].task
    assert len(_counted_share.counted(task.training, task.codec.size, "characters", seconds).keys) > 10


DAMAGE = {
    "nothing": lambda parts: b"",
    "no zip": lambda parts: b"PK and so on",
    "units": lambda parts: parts | {"sizes": parts["sizes"] + [1, 0]},
    "order": lambda parts: parts | {"sizes": parts["sizes"] * [1, 0]},
    "short": lambda parts: parts | {"left": parts["left"][:-1]},
    "kind": lambda parts: parts | {"gaps": parts["gaps"].astype(float)},
    "keys": lambda parts: parts | {"gaps": parts["gaps"] * 1000},
    "falling": lambda parts: parts | {"gaps": -parts["gaps"]},
    "chance": lambda parts: parts | {"chance": parts["chance"] + 1},
    "nan": lambda parts: parts | {"left": parts["left"] * np.float32("nan")},
    "absent": lambda parts: {"gaps": parts["gaps"]},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_counts_are_one_line(made, damage):
    task = made[0].task
    with np.load(io.BytesIO(task.files()["counted.npz"])) as found:
        parts = dict(found)
    whole = _counted_share.CountedShare.read(0.5, task.files(), task.codec.size)
    np.testing.assert_array_equal(whole.counts.keys, task.beside.counts.keys)
    broken, beside = DAMAGE[damage](parts), io.BytesIO()
    if isinstance(broken, dict):
        np.savez(beside, **broken)
        broken = beside.getvalue()
    with pytest.raises(ModelError, match="copy the folder again"):
        _counted_share.CountedShare.read(0.5, {"counted.npz": broken}, task.codec.size)
    with pytest.raises(ModelError, match="does not fit"):
        _counted_share.CountedShare.read("x", task.files(), task.codec.size)


def _by_hand(training, text, units, order):
    """Kneser-Ney with dictionaries, straight from the definition."""
    grams = {k: {} for k in range(1, order + 1)}
    for k in grams:
        for end in range(k, len(training) + 1):
            key = tuple(training[end - k : end].tolist())
            grams[k][key] = grams[k].get(key, 0) + 1
    counts = {order: grams[order]}
    for k in range(1, order):
        counts[k] = {}
        for key in grams[k + 1]:
            counts[k][key[1:]] = counts[k].get(key[1:], 0) + 1

    def p(unit, past, k):
        if k == 0:
            return 1 / units
        past = past[len(past) - k + 1 :] if k > 1 else ()
        once, twice = (sum(v == n for v in counts[k].values()) for n in (1, 2))
        discount = once / (once + 2 * twice) if once and twice else 0.5
        behind = [v for key, v in counts[k].items() if key[:-1] == past]
        lower = p(unit, past[1:], k - 1)
        if not behind:
            return lower
        return (max(counts[k].get((*past, unit), 0) - discount, 0) + discount * len(behind) * lower) / sum(behind)

    text = text.tolist()
    return [p(unit, tuple(text[:place]), min(order, place + 1)) for place, unit in enumerate(text)]


def test_memorised_text_is_found():
    training = np.random.default_rng(0).integers(0, 50, 5_000)
    assert memorised.score(training[40:90], training, 10) == 1
    assert memorised.score(np.concatenate([training[40:60], training[:20] + 50]), training, 20) == pytest.approx(1 / 21)
    assert math.isnan(memorised.score(training[:3], training, 10))


@pytest.mark.slow
def test_a_planted_rule_is_learned_and_the_ngrams_are_beaten(tmp_path):
    """Every second word is the first one backwards: 4 of 10 characters are certain to whoever remembers."""
    (tmp_path / "toy.txt").write_text(toy(length=60_000))
    model = saiki.train("generate", tmp_path / "toy.txt", steps=700, width=64, batch=32, bptt=30, seed=1, embedding=32)
    found = model.validation
    assert found.beats_baselines, found.scores
    assert found.scores["saiki"]["nats_per_character"] < 1.05 * 4 * math.log(8) / 10
    assert model.generate(prompt="abcd ", length=4, temperature=0) == "dcba"


def test_a_reservoir_writes(tmp_path):
    (tmp_path / "t.txt").write_text(toy(length=3_000))
    model = saiki.train("generate", tmp_path / "t.txt", steps=5, width=16, cell="echo_state", counted=False)
    assert len(model.generate(length=20, seed=1)) == 20


def test_words_cut_at_spaces_are_written_behind_a_space(tmp_path):
    (tmp_path / "t.txt").write_text("私 は 犬 が 好き です 。\n彼 は 猫 が 好き です 。\n" * 60)
    model = saiki.train("generate", tmp_path / "t.txt", units="words", split=True, steps=5, width=8, batch=4, bptt=10)
    text = model.generate("私 は", length=6, seed=1)
    assert text[0] in " \n"
    assert "\ufffd" not in model.task.codec.decode(model.task.codec.encode("私 は" + text))


def test_a_prompt_may_stand_alone_and_is_text(made):
    model, _ = made
    assert model.generate("ab", length=5) == model.generate(prompt="ab", length=5)
    assert model.generate("ab", length=400, stop="a") == model.generate("ab", length=400, stop=("a",))
    with pytest.raises(DataError, match="the prompt is a NoneType; expected text"):
        model.generate(None)


def test_the_surprise_of_unknown_words_stands_beside_them(tmp_path):
    (tmp_path / "t.txt").write_text("the cat sat on the mat . the dog sat on the mat .\n" * 60)
    model = saiki.train("generate", tmp_path / "t.txt", units="words", steps=5, width=8, batch=4, bptt=10)
    (tmp_path / "new.txt").write_text("the zebra sat .\n")
    units = [unit for unit, _ in model.task.surprise(model.network, tmp_path / "new.txt")]
    assert units[:3] == ["the", "zebra", "sat"]


@pytest.mark.parametrize("kind", ["polars", "pandas", "lazy", "series"])
def test_documents_of_a_frame(kind):
    texts = ["the cat sat", None, "on the mat", "the dog ran"] * 20
    frame = pl.DataFrame({"said": texts, "n": range(80)})
    data = {
        "polars": lambda: frame,
        "pandas": frame.to_pandas,
        "lazy": frame.lazy,
        "series": lambda: frame.to_pandas()["said"],
    }[kind]()
    given = {"steps": 2, "width": 8, "layers": 1, "source": None if kind == "series" else "said"}
    model = saiki.train("generate", data, **given)
    listed = saiki.train("generate", [t for t in texts if t], **given | {"source": None})
    assert model.task.fingerprint() == listed.task.fingerprint()
    assert model.evaluate(data).scores["saiki"] == listed.evaluate([t for t in texts if t]).scores["saiki"]
    if kind != "series":
        with pytest.raises(DataError, match="row 1: no column called 'text'"):
            saiki.train("generate", data, **given | {"source": None})


@pytest.mark.parametrize("units", ["words", "bytepair", "characters"])
@pytest.mark.parametrize("cut", [5, 7, 8, 11])
def test_a_stream_of_words_does_not_depend_on_where_a_text_is_cut(units, cut):
    text = "the old man sat on the mat and the cat sat on the man "
    model = saiki.train("generate", [text * 30], units=units, steps=3, width=16, vocabulary=None, bptt=20)
    stream, said = model.stream(), "the old man sat"
    whole = stream.push({"id": 1, "text": said})
    first, second = (stream.push({"id": 2, "text": part}) for part in (said[:cut], said[cut:]))
    assert [n["text"] for n in second["next"]] == [n["text"] for n in whole["next"]]
    assert np.allclose([n["probability"] for n in second["next"]], [n["probability"] for n in whole["next"]], rtol=1e-6)
    judged = len(second["nats"])  # a word that was made longer is judged anew
    assert np.allclose(second["nats"], whole["nats"][-judged:], rtol=1e-6)
    assert len(first["nats"]) + judged >= len(whole["nats"])
    letters = [stream.push({"id": 3, "text": letter}) for letter in said]
    assert np.allclose(letters[-1]["nats"][-1], whole["nats"][-1], rtol=1e-6)
    with pytest.raises(DataError, match=r"'id' is .*; expected one id"):
        stream.push({"id": [1], "text": "the"})
