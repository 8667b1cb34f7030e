"""A network that learns its data by heart early is trained once more, for a shorter time, and the better one is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from saiki.training import members
from saiki.training.members import EARLY, SMALLER, fit_members, rate_of, record
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
