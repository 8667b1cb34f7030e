"""Ensembles: the answer is the mean of the members', wherever it is asked for; a killed one goes on in its member."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.cli import run
from saiki.errors import OptionError
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "steps": 10, "width": 8, "layers": 1, "batch": 16, "season": 12, "refit": False}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toy(0, series=3, steps=120)


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("forecast", table, ensemble=2, **QUICK)


@pytest.mark.slow
def test_it_is_the_mean_of_networks_trained_alone(model, table):
    """In the units of the window: the logarithm, so the geometric mean of the answers."""
    alone = [saiki.train("forecast", table, seed=seed, **QUICK).predict(table)["saiki"].log() for seed in (0, 1)]
    np.testing.assert_allclose(model.predict(table)["saiki"].log(), (alone[0] + alone[1]) / 2, rtol=1e-5)
    assert not np.allclose(alone[0], alone[1], rtol=1e-4)
    assert [each["step"] for each in model.run["members"]] == [10, 10]


def test_saved_streamed_and_calibrated_as_one(model, table, tmp_path):
    model.save(tmp_path / "m")
    loaded = saiki.load(tmp_path / "m")
    whole = loaded.predict(table, level=[80, 95], samples=3)
    assert whole.equals(model.predict(table, level=[80, 95], samples=3))
    assert (whole["saiki-lo-95"] <= whole["saiki-lo-80"]).all()
    assert (whole["saiki-lo-80"] <= whole["saiki"]).all()
    one, stream = table.filter(pl.col("unique_id") == "series-1"), loaded.stream()
    for row in one.iter_rows(named=True):
        last = stream.push(row)
    np.testing.assert_allclose(last[0]["saiki"], whole.filter(pl.col("unique_id") == "series-1")["saiki"], rtol=1e-5)
    assert "2 networks" in dict(loaded.facts())["training"]


class Stop:
    """Ends the run in a step of one of the networks."""

    def __init__(self, member: int, step: int, how: type[BaseException]) -> None:
        self.begun, self.member, self.step, self.how = 0, member, step, how

    def started(self, progress):
        self.begun += 1

    def stepped(self, progress, loss):
        if (self.begun, progress.step) == (self.member, self.step):
            raise self.how

    def validated(self, progress, row): ...

    def ended(self, progress): ...


@pytest.mark.slow
@pytest.mark.parametrize("refit", [False, True])
def test_killed_in_the_second_network_it_goes_on_there(table, tmp_path, refit):
    given = QUICK | {"ensemble": 3, "checkpoint_every": 2, "refit": refit}
    whole = saiki.train("forecast", table, **given)
    with pytest.raises(RuntimeError):
        saiki.train("forecast", table, out=tmp_path / "m", hooks=[Stop(2, 5, RuntimeError)], **given)
    steps = Stop(0, 0, RuntimeError)
    first = []
    steps.stepped = lambda progress, loss: first.append((steps.begun, progress.step))
    resumed = saiki.train("forecast", table, out=tmp_path / "m", resume=True, hooks=[steps], **given)
    assert first[0] == (2, 5)  # the first network is not trained again, the second one from its checkpoint on
    assert resumed.predict(table).equals(whole.predict(table))


@pytest.mark.slow
def test_stopped_early_it_answers_with_what_is_trained(table, tmp_path):
    given = QUICK | {"ensemble": 3}
    stopped = saiki.train("forecast", table, out=tmp_path / "m", hooks=[Stop(1, 8, KeyboardInterrupt)], **given)
    assert stopped.interrupted
    first, *rest = stopped.network.members
    for other in rest:
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    resumed = saiki.train("forecast", table, out=tmp_path / "m", resume=True, **given)
    assert not resumed.interrupted
    first, second, _ = (member.parameters() for member in resumed.network.members)
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
def test_members_share_the_minutes(table, monkeypatch):
    """The budget is timed once and cut in equal parts, whatever the number of networks."""
    monkeypatch.setattr("saiki.training.loop._pace", lambda *given: 0.02)  # seconds of a step, as on an idle machine
    monkeypatch.setattr("saiki.training.loop._shorten", lambda progress: None)
    given = {k: v for k, v in QUICK.items() if k != "steps"} | {"most_epochs": 10**6, "validations": 1}
    one, three = (saiki.train("forecast", table, minutes=0.05, ensemble=n, **given).run for n in (1, 3))
    assert len({each["step"] for each in three["members"]}) == 1
    assert three["steps"] < 0.7 * one["steps"]


@pytest.mark.slow
def test_a_back_test_trains_every_member_anew(model, table):
    found = model.cross_validation(table, windows=1, refit="every", baselines=[])
    assert found["saiki"].is_finite().all()


@pytest.fixture
def spare(table, monkeypatch):
    """Two networks more than the first one, in a budget of minutes."""
    monkeypatch.setattr("saiki.training.members._more", lambda *given: 2)
    monkeypatch.setattr("saiki.training.loop.FEWEST_STEPS", 10)
    given = {k: v for k, v in QUICK.items() if k != "steps"} | {"most_epochs": 1, "batch": 64}
    return saiki.train("forecast", table, minutes=0.1, **given)


@pytest.mark.slow
def test_unasked_as_many_as_the_minutes_allow(spare, table, tmp_path):
    assert len(spare.network.members) == len(spare.run["members"]) == spare.task.plan.members == 3
    spare.save(tmp_path / "m")
    loaded = saiki.load(tmp_path / "m")
    assert loaded.predict(table).equals(spare.predict(table))
    assert "3 networks" in dict(loaded.facts())["training"]
    on = saiki.train("forecast", table, from_=tmp_path / "m", steps=2)
    assert len(on.network.members) == 3
    with pytest.raises(OptionError, match="ensemble is 2, that of the model 3"):
        saiki.train("forecast", table, from_=tmp_path / "m", ensemble=2, steps=2)


@pytest.mark.slow
def test_a_back_test_and_a_refit_have_as_many(spare, table, monkeypatch):
    found = spare.cross_validation(table, windows=1, refit="every", baselines=[])
    assert found["saiki"].is_finite().all()
    monkeypatch.setattr("saiki.training.members._more", lambda *given: 1)
    given = QUICK | {"refit": True}
    del given["steps"]
    again = saiki.train("forecast", table, minutes=0.1, most_epochs=1, **given)
    assert len(again.network.members) == 2
    assert again.run["refit"] == again.run["step"]


def test_one_where_the_steps_are_given(table, tmp_path):
    one = saiki.train("forecast", table, **QUICK)
    assert not hasattr(one.network, "members")
    assert "members" not in one.run
    one.save(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["fitted"]["plan"]["members"] == 1
    assert saiki.load(tmp_path / "m").predict(table).equals(one.predict(table))


@pytest.mark.slow
def test_a_report_of_several_networks(model, table, tmp_path):
    model.save(tmp_path / "m")
    table.write_csv(tmp_path / "t.csv")
    assert run(["evaluate", str(tmp_path / "m"), str(tmp_path / "t.csv"), "--html", str(tmp_path / "r.html")]) == 0
    assert "lag" in (tmp_path / "r.html").read_text()


def test_models_from_before_there_were_ensembles(table):
    one = saiki.train("forecast", table, **QUICK)
    stored = one.task.to_json()
    del stored["plan"]["members"]
    task = type(one.task).from_json(one.task.options, stored)
    assert not hasattr(task.network(one.network_options, one.width, seed=0), "members")


def test_what_is_recorded_of_an_interrupted_run_is_what_is_kept(table, monkeypatch):
    monkeypatch.setattr("saiki.training.members._more", lambda *given: 2)
    monkeypatch.setattr("saiki.training.loop.FEWEST_STEPS", 10)
    given = {k: v for k, v in QUICK.items() if k != "steps"} | {"most_epochs": 1, "batch": 64, "validations": 1}
    stop = Stop(3, 4, KeyboardInterrupt)
    stopped = saiki.train("forecast", table, minutes=0.1, hooks=[stop], **given)
    assert stopped.interrupted
    assert len(stopped.run["members"]) == len(stopped.network.members) == stopped.task.plan.members == 2
    assert stopped.cross_validation(table, windows=1, refit="every", baselines=[])["saiki"].is_finite().all()
