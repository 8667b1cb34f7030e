"""A network that learns its data by heart early is trained once more, for a shorter time, and the better one is kept.

An ensemble whose size is open has as many networks as the minutes allow.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from saiki.network.ensemble import Ensemble
from saiki.training import members
from saiki.training.checkpoint import Progress
from saiki.training.members import EARLY, MOST, SMALLER, finished, fit_members, rate_of, record
from saiki.training.options import Training

OPTIONS = {"minutes": 0.2, "batch": 4, "patience": 3, "validations": 20, "checkpoint_every": 10, "learning_rate": 0.05}


class ByHeart:
    """Few noisy rows of a wide input: the longer a network trains, the worse it is on others."""

    brief = True
    epoch = 4

    def __init__(self, until: int = 0, error: type[BaseException] = KeyboardInterrupt) -> None:
        rng = np.random.default_rng(0)
        self.x, self.valid_x = (torch.tensor(rng.normal(size=(16, 24)), dtype=torch.float32) for _ in range(2))
        self.y, self.valid_y = (
            x[:, :1] + torch.tensor(rng.normal(size=(16, 1))).float() for x in (self.x, self.valid_x)
        )
        self.until, self.error, self.drawn = until, error, 0

    def draw(self, rng: np.random.Generator, step: int) -> Tensor:
        self.drawn += 1
        if self.drawn == self.until:
            raise self.error
        return torch.tensor(rng.integers(len(self.x), size=4))

    def loss(self, network: nn.Module, batch: Tensor) -> Tensor:
        return nn.functional.mse_loss(network(self.x[batch]), self.y[batch])

    @torch.no_grad()
    def validate(self, network: nn.Module) -> float:
        return float(nn.functional.mse_loss(network(self.valid_x), self.valid_y))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 1))


@pytest.fixture(autouse=True)
def steady_clock(monkeypatch):
    monkeypatch.setattr("saiki.training.loop._pace", lambda *given: 0.01)  # seconds of a step
    monkeypatch.setattr("saiki.training.loop._shorten", lambda progress: None)


def test_the_brief_run_is_kept_where_it_is_better(monkeypatch):
    net, problem = network(), ByHeart()
    (found,) = fit_members(net, problem, Training(**OPTIONS))
    alone = network()
    monkeypatch.setattr(problem, "brief", False)
    (long,) = fit_members(alone, problem, Training(**OPTIONS))
    assert long.best_step <= EARLY * long.steps
    assert long.waited >= 3
    assert found.best_score < long.best_score
    assert found.rate == SMALLER
    assert found.steps == min(2 * long.best_step, long.steps - long.step)
    assert problem.validate(net) == pytest.approx(found.best_score)
    assert rate_of(record([found])) == SMALLER


def test_the_long_run_is_kept_where_that_is_better(monkeypatch):
    monkeypatch.setattr(members, "SMALLER", 1e3)  # a brief run that leaps about
    net, problem = network(), ByHeart()
    (found,) = fit_members(net, problem, Training(**OPTIONS))
    assert found.rate == 1.0
    assert problem.validate(net) == pytest.approx(found.best_score)


def test_steps_that_were_asked_for_are_made():
    (found,) = fit_members(
        network(), ByHeart(), Training(**{k: v for k, v in OPTIONS.items() if k != "minutes"}, steps=400)
    )
    assert found.rate == 1.0
    assert found.steps == 400


class Killed(BaseException):
    """The process ends."""


@pytest.mark.parametrize("where", ["long", "brief"])
@pytest.mark.parametrize("how", [KeyboardInterrupt, Killed])
def test_a_stopped_run_goes_on_where_it_was(tmp_path, where, how):
    whole = network()
    problem = ByHeart()
    (expected,) = fit_members(whole, problem, Training(**OPTIONS))
    until = 15 if where == "long" else problem.drawn - 15
    half = network()
    try:
        (stopped,) = fit_members(half, ByHeart(until, how), Training(**OPTIONS), folder=tmp_path)
        assert not stopped.done
    except Killed:
        pass
    again = network()
    (found,) = fit_members(again, ByHeart(), Training(**OPTIONS), folder=tmp_path, resume=True)
    assert (found.step, found.best_score, found.rate) == (expected.step, expected.best_score, expected.rate)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True))


class Spare(ByHeart):
    """The size of the ensemble is open."""

    brief = False
    spare = True


#: 12 seconds, of which 300 steps are planned to take 3
SPARE = OPTIONS | {"patience": 100}


def open_ensemble() -> Ensemble:
    nets = []
    for seed in range(MOST):
        torch.manual_seed(seed)
        nets.append(nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 1)))
    return Ensemble(nets)


def test_as_many_networks_as_the_minutes_allow():
    every = open_ensemble()
    found = fit_members(every, Spare(), Training(**SPARE))
    assert len(found) == len(every.members) == 3
    assert [each.step for each in found] == [300, 300, 300]
    assert finished(every, found)
    alone = open_ensemble().members[1]
    fit_members(alone, ByHeart(), Training(**{k: v for k, v in SPARE.items() if k != "minutes"}, steps=300, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), every.members[1].parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("given", "count"), [({"minutes": 5.0}, MOST), ({"minutes": 0.06}, 1), ({"steps": 300}, 1)])
def test_never_more_than_some_and_one_where_no_time_is_left(given, count):
    every = open_ensemble()
    found = fit_members(every, Spare(), Training(**{k: v for k, v in SPARE.items() if k != "minutes"} | given))
    assert len(found) == len(every.members) == count


def test_a_brief_run_leaves_time_for_more_brief_ones(monkeypatch):
    monkeypatch.setattr(Spare, "brief", True)
    every, options = open_ensemble(), OPTIONS | {"most_epochs": 300}  # a plan that fills the minutes
    found = fit_members(every, Spare(), Training(**options))
    assert len(found) > 1
    assert {each.rate for each in found} == {SMALLER}
    assert len({each.steps for each in found}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", [KeyboardInterrupt, Killed])
def test_stopped_in_the_second_network_of_an_open_ensemble(tmp_path, how):
    whole, half, again = open_ensemble(), open_ensemble(), open_ensemble()
    expected = fit_members(whole, Spare(), Training(**SPARE))
    try:
        stopped = fit_members(half, Spare(310, how), Training(**SPARE), folder=tmp_path)
        assert not finished(half, stopped)
        assert len(half.members) == 1  # the second has no validated state yet
    except Killed:
        pass
    found = fit_members(again, Spare(), Training(**SPARE), folder=tmp_path, resume=True)
    assert [each.step for each in found] == [each.step for each in expected]
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True))


def test_a_machine_that_is_slower_than_planned_trains_fewer(monkeypatch):
    first = Progress(300, step=300, seconds=3.0, planned=3.0, most=300)
    assert members._more(first, 3.0, 12.0) == 2
    assert members._more(replace(first, seconds=3.6), 3.0, 12.0) == 2
    assert members._more(replace(first, seconds=5.0), 3.0, 12.0) == 1
    assert members._more(replace(first, seconds=9.0), 3.0, 12.0) == 0
    assert members._more(replace(first, planned=0.0), 0.0, 12.0) == 0
