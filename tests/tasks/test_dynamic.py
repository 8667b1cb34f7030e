"""Dynamic evaluation: judged first, learned from afterwards, by a copy; better where a text is of another kind."""

import json

import numpy as np
import pytest
import torch

import saiki
from saiki.cli import run
from saiki.errors import OptionError
from saiki.tasks import _dynamic
from saiki.tasks._reading import surprises
from saiki.tasks.generate import toy

#: nothing like the planted text
SONG = "the wheels on the bus go round and round\n" * 80


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small model, trained for a moment, and a text of another kind."""
    folder = tmp_path_factory.mktemp("dynamic")
    (folder / "toy.txt").write_text(toy(length=6_000) + "the wheels on a bus, round and round\n" * 3)
    (folder / "song.txt").write_text(SONG)
    (folder / "songs.txt").write_text(3 * SONG)
    model = saiki.train("generate", folder / "toy.txt", out=folder / "m", steps=40, width=24, batch=16, bptt=20, seed=1)
    return model, folder


def units(model, folder):
    return np.asarray(model.task.read(folder / "song.txt").values, np.int64)


def test_without_a_rate_it_is_the_score_of_the_model(made):
    model, folder = made
    told = _dynamic.surprises(model.network, units(model, folder), model.task.opening, rate=0.0)
    text = model.task.read(folder / "song.txt")
    np.testing.assert_allclose(told, surprises(model.network, text, 1, model.task.opening), atol=2e-5)


def test_a_unit_is_judged_before_anything_is_learned_from_it(made):
    model, folder = made
    whole = units(model, folder)
    other = np.append(whole[:175], whole[:100])
    one, two = (_dynamic.surprises(model.network, some, model.task.opening) for some in (whole, other))
    np.testing.assert_array_equal(one[:150], two[:150])  # whole segments
    np.testing.assert_allclose(one[150:175], two[150:175], atol=1e-5)  # the segment in which they part
    assert not np.allclose(one[200:250], two[200:250], atol=1e-3)


def test_it_learns_where_a_caller_wants_no_gradients(made):
    model, folder = made
    some, opening = units(model, folder)[:200], model.task.opening
    with torch.no_grad():
        told = _dynamic.surprises(model.network, some, opening)
    np.testing.assert_array_equal(told, _dynamic.surprises(model.network, some, opening))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"units": "words", "fewest": 1}, {"units": "words", "fewest": 1, "softmax": "adaptive"}, {}]
)
def test_a_text_of_another_kind_is_learned_while_it_is_read(made, tmp_path, options):
    _, folder = made
    model = saiki.train("generate", folder / "toy.txt", steps=30, width=24, batch=4, bptt=20, seed=1, **options)
    before = {name: weight.clone() for name, weight in model.network.named_parameters()}
    asked = [weight.requires_grad for weight in model.network.parameters()]
    found = model.evaluate(folder / "songs.txt", adaptive=True)
    assert found.details["adaptive"]["nats_per_character"] < 0.98 * found.scores["saiki"]["nats_per_character"]
    assert all((weight == before[name]).all() for name, weight in model.network.named_parameters())
    assert asked == [weight.requires_grad for weight in model.network.parameters()]
    assert found.scores == model.evaluate(folder / "songs.txt").scores


def test_the_command_prints_both(made, capsys):
    _, folder = made
    assert run(["evaluate", str(folder / "m"), str(folder / "song.txt"), "--adaptive", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["details"]["adaptive"]) == set(told["scores"]["saiki"])
    assert run(["evaluate", str(folder / "m"), str(folder / "song.txt"), "--adaptive"]) == 0
    assert "learning as it reads" in capsys.readouterr().out


def test_other_tasks_have_none():
    from saiki.tasks.classify import toy as labelled

    few = labelled(series=20)
    model = saiki.train("classify", few, steps=1, width=4)
    with pytest.raises(OptionError, match="evaluate of the task classify has no option 'adaptive'"):
        model.evaluate(few, adaptive=True)
