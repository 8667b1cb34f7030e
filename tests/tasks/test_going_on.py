"""Training that goes on from a model: its numbers are kept, the better weights win, what does not fit is one line."""

from __future__ import annotations

import polars as pl
import pytest
import torch

import saiki
from saiki.errors import ModelError, OptionError
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "steps": 15, "width": 8, "layers": 1, "batch": 16, "season": 12}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toy(0, series=3, steps=160)


@pytest.fixture(scope="module")
def old(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("old") / "m"
    saiki.train("forecast", table.filter(pl.col("ds") < 120), out=path, refit=False, **QUICK)
    return path


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.slow
def test_it_goes_on_and_keeps_the_numbers_of_the_old_model(table, old, tmp_path):
    before = saiki.load(old)
    model = saiki.train("forecast", table, from_=old, steps=300, refit=False, out=tmp_path / "new")
    assert model.task.plan.horizon == model.task.options.horizon == 6
    assert model.task.codec == before.task.codec
    assert model.task.plan == before.task.plan
    assert model.training_options.learning_rate < before.training_options.learning_rate
    told = model.run["from"]
    assert told["kept"] == "new"
    assert told["after"] < told["before"]
    assert told["after"] == pytest.approx(model.validation.scores["saiki"]["mase"])
    assert not same(model.network, before.network)
    loaded = saiki.load(tmp_path / "new")
    assert loaded.predict(table, level=90).equals(model.predict(table, level=90))
    assert "trained on steps up to 119" in dict(loaded.facts())["data: goes on"]


@pytest.mark.parametrize("refit", [False, True])
def test_worse_weights_are_thrown_away_and_that_is_said(table, old, refit):
    before = saiki.load(old)
    model = saiki.train("forecast", table, from_=old, horizon=6, steps=1, learning_rate=30.0, clip=1e6, refit=refit)
    assert model.run["from"]["kept"] == "old"
    assert "made them worse" in model.run["from"]["says"]
    assert same(model.network, before.network)
    assert model.validation.scores["saiki"]["mase"] == pytest.approx(model.run["from"]["before"])
    assert model.predict(table)["saiki"].equals(before.predict(table)["saiki"])


def test_what_the_old_model_has_seen_is_said(table, old):
    model = saiki.train("forecast", table.filter(pl.col("ds") < 120), from_=old, horizon=6, steps=1, refit=False)
    assert "flatters" in dict(model.understood)["goes on"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"horizon": 7}, "horizon is 7, that of the model 6"),
        ({"season": 7}, "season is 7, that of the model 12"),
        ({"target": "z"}, "target is z, that of the model y"),
        ({"future": ["promo"]}, "future is promo, that of the model none"),
        ({"width": 32}, "width 32 is not that of the model"),
        ({"cell": "lstm"}, "cell lstm is not that of the model"),
    ],
)
def test_what_does_not_fit_is_one_line(table, old, given, says):
    with pytest.raises(OptionError, match=says):
        saiki.train("forecast", table, from_=old, steps=1, **given)


def test_without_a_model_the_horizon_is_needed(table):
    with pytest.raises(OptionError, match="horizon is missing; expected the number of steps"):
        saiki.train("forecast", table, steps=1)


def test_a_model_of_another_task_is_refused(table, old, tmp_path):
    (tmp_path / "t.txt").write_text("a b c d e f g " * 60)
    saiki.train("generate", tmp_path / "t.txt", steps=1, width=8, out=tmp_path / "g")
    with pytest.raises(ModelError, match="generate cannot go on as forecast"):
        saiki.train("forecast", table, from_=tmp_path / "g", horizon=6, steps=1)
