"""The loop: it learns, it is deterministic, it resumes bit for bit, it keeps the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from saiki.cli._progress import quicker
from saiki.errors import DataError, ModelError, OptionError, TrainingError
from saiki.training import checkpoint
from saiki.training.arrays import ArrayProblem, fit
from saiki.training.loop import fit as run
from saiki.training.loop import make_optimizer, schedule
from saiki.training.options import Training


def data(seed: int = 0, rows: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A linear map of the input, so that a linear network can reach a loss of 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    return x, x @ rng.normal(size=(6, 2))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.1), nn.Linear(16, 2))


def problem(options: Training, seed: int = 0) -> ArrayProblem:
    made = ArrayProblem(*data(seed), nn.functional.mse_loss, options.batch, options.seed)
    made.valid = ArrayProblem(*data(seed), nn.functional.mse_loss, options.batch, options.seed)
    return made


class StopAt:
    """A hook that ends the run as a kill would: without a word to the loop, or as Ctrl-C does."""

    def __init__(self, step: int, error: type[BaseException]) -> None:
        self.step, self.error = step, error

    def started(self, progress): ...
    def validated(self, progress, row): ...
    def ended(self, progress): ...

    def stepped(self, progress, loss):
        if progress.step == self.step:
            raise self.error


@pytest.mark.parametrize("validation", [2, 4])
def test_ctrl_c_amid_a_validation_resumes_bit_for_bit(tmp_path, monkeypatch, validation):
    """The last one included: the run ends where it should, with every validation on its curve."""
    options = Training(steps=40, batch=8, validations=4, checkpoint_every=7)
    expected = run(whole := network(), problem(options), options)
    stopped = problem(options)
    done, taken = stopped.validate, []

    def interrupted(net):
        taken.append(net)
        if len(taken) == validation:
            raise KeyboardInterrupt
        return done(net)

    monkeypatch.setattr(stopped, "validate", interrupted)
    assert not run(network(), stopped, options, folder=tmp_path).done
    found = run(resumed := network(seed=1), problem(options), options, folder=tmp_path, resume=True)
    assert found.step == expected.step == 40
    assert found.curve == expected.curve
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_fit_learns_a_linear_map():
    x, y = data()
    net = nn.Linear(6, 2)
    progress = fit(net, x, y, epochs=200, batch=16, learning_rate=0.05, weight_decay=0)
    assert progress.steps == 800
    assert progress.curve[-1]["loss"] < 1e-3 * y.var()


def test_equal_seeds_give_equal_weights_and_others_do_not():
    runs = []
    for seed in (1, 1, 2):
        net = network()
        run(net, problem(o := Training(steps=30, batch=8, seed=seed)), o)
        runs.append(net[0].weight.detach().clone())
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("stop", [1, 7, 10, 23, 39])
def test_a_killed_run_resumes_bit_for_bit(tmp_path, stop, average):
    options = Training(steps=40, batch=8, checkpoint_every=5, validations=7, average=average)
    whole = network()
    expected = run(whole, problem(options), options)
    with pytest.raises(MemoryError):
        run(network(), problem(options), options, folder=tmp_path, hooks=[StopAt(stop, MemoryError)])
    resumed = network(seed=5)  # its weights must come from the checkpoint
    progress = run(resumed, problem(options), options, folder=tmp_path, resume=True)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert progress.curve == expected.curve
    assert progress.best_step == expected.best_step


def test_ctrl_c_keeps_the_best_and_the_run_can_go_on(tmp_path):
    options = Training(steps=40, batch=8, checkpoint_every=100, validations=8)
    net = network()
    progress = run(net, problem(options), options, folder=tmp_path, hooks=[StopAt(17, KeyboardInterrupt)])
    assert not progress.done
    assert progress.best_step in (5, 10, 15)
    assert run(network(), problem(options), options, folder=tmp_path, resume=True).done


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    options = Training(steps=10, batch=8)
    run(network(), problem(options), options, folder=tmp_path, identity={"data": "a"})
    with pytest.raises(ModelError, match="data was 'a', now 'b'"):
        run(network(), problem(options), options, folder=tmp_path, identity={"data": "b"}, resume=True)


def test_a_checkpoint_moved_aside_for_its_like_is_taken(tmp_path):
    options = Training(steps=10, batch=8, checkpoint_every=5)
    expected = run(whole := network(), problem(options), options, folder=tmp_path)
    path = checkpoint.newest(tmp_path)
    path.rename(tmp_path / f"{path.name}.old")  # as a crash between the two moves leaves it
    resumed = run(net := network(5), problem(options), options, folder=tmp_path, resume=True)
    assert resumed.curve == expected.curve
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), net.parameters(), strict=True))


def test_a_half_written_checkpoint_is_not_taken(tmp_path):
    options = Training(steps=10, batch=8, checkpoint_every=5)
    run(network(), problem(options), options, folder=tmp_path)
    found = checkpoint.newest(tmp_path)
    (tmp_path / "step-000000099.part").mkdir()
    assert checkpoint.newest(tmp_path) == found


def test_a_truncated_checkpoint_is_one_line(tmp_path):
    options = Training(steps=10, batch=8)
    run(network(), problem(options), options, folder=tmp_path)
    path = checkpoint.newest(tmp_path) / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be read") as error:
        run(network(), problem(options), options, folder=tmp_path, resume=True)
    assert "\n" not in str(error.value)


def test_the_best_weights_are_restored_and_training_stops_early():
    options = Training(steps=100, batch=8, validations=50, patience=3)
    scores = iter([3.0, 1.0, 2.0, 2.0, 2.0, 0.0])
    seen = []
    made = problem(options)

    def validate(net):
        seen.append(net[0].weight.detach().clone())
        return next(scores)

    made.validate = validate
    net = network()
    progress = run(net, made, options)
    assert (progress.best_score, progress.best_step, progress.step) == (1.0, 4, 10)
    assert torch.equal(net[0].weight, seen[1])


def test_minutes_become_a_fixed_number_of_steps():
    options = Training(minutes=0.03, batch=8)
    progress = run(network(), problem(options), options)
    assert progress.done
    assert progress.step == progress.steps >= 20


def on_a_false_clock(monkeypatch, seconds, **given):
    """A run of a minute, begun at 0, in which draw number n takes `seconds(n)` and all else nothing; and when it ended."""
    now, draws = [0.0], [0]
    monkeypatch.setattr("saiki.training.loop.time.perf_counter", lambda: now[0])
    options = Training(minutes=1, batch=8, most_epochs=10_000)
    made = problem(options)

    def draw(rng, step, drawn=made.draw):
        draws[0] += 1
        now[0] += seconds(draws[0])
        return drawn(rng, step)

    made.draw = draw
    return run(network(), made, options, began=0.0, **given), now[0]


def test_a_moment_in_which_the_machine_is_busy_does_not_shorten_the_run(monkeypatch):

    def slow_at_first(draw: int) -> float:
        return 0.5 if draw <= 10 else 0.01  # a pass and a part of the next, fifty times as slow

    progress, _ = on_a_false_clock(monkeypatch, slow_at_first, hooks=[StopAt(50, KeyboardInterrupt)])
    assert progress.steps == pytest.approx(5400, rel=0.05)
    assert progress.expected == pytest.approx(0.5, rel=0.05) == pytest.approx(progress.seconds, rel=0.05)
    assert quicker(progress) == ""
    assert "planned to take 1 s" in quicker(replace(progress, planned=2.2 * progress.planned))


@pytest.mark.slow
def test_a_machine_that_becomes_slower_does_not_take_longer_than_the_minutes(monkeypatch):
    progress, ended = on_a_false_clock(monkeypatch, lambda draw: 0.01 if draw <= 1000 else 0.1)
    assert progress.done
    assert progress.curve[-1]["step"] == progress.step == progress.steps
    assert ended == pytest.approx(60, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("when", [200, 2000])
def test_a_slow_moment_takes_no_more_steps_than_it_lasts(when, monkeypatch):
    progress, ended = on_a_false_clock(monkeypatch, lambda draw: 0.3 if when <= draw < when + 40 else 0.01)
    assert ended == pytest.approx(60, rel=0.1)
    assert 4000 <= progress.step < 5400


def test_biases_are_not_decayed():
    groups = make_optimizer(network(), Training()).param_groups
    assert [g["weight_decay"] for g in groups] == [Training().weight_decay, 0.0]
    assert all(p.ndim == 1 for p in groups[1]["params"])
    assert sum(len(g["params"]) for g in groups) == 4


def test_the_schedule_rises_then_falls():
    options = Training(steps=100, warmup=0.1)
    shape = [schedule(step, 100, options) for step in range(100)]
    assert shape[0] == pytest.approx(0.1)
    assert max(shape) == shape[9] == pytest.approx(1)
    assert shape[10:] == sorted(shape[10:], reverse=True)
    assert 0.01 <= shape[-1] < 0.02


@pytest.mark.parametrize("given", [{"loss": "msa"}, {"epoch": 3}])
def test_unknown_names_are_one_line_with_near_misses(given):
    with pytest.raises(OptionError, match="did you mean"):
        fit(network(), *data(), **given)


def test_lengths_that_differ_are_an_error():
    with pytest.raises(DataError, match="64 sequences and 63 targets"):
        fit(network(), data()[0], data()[1][:-1], epochs=1)


def test_two_budgets_are_refused():
    with pytest.raises(ValueError, match="expected one budget"):
        Training(minutes=1, epochs=2)


class Torn(ArrayProblem):
    """Something throws the weights far away, once."""

    at = 350

    def loss(self, network, batch):
        self.at -= 1
        if self.at == 0:
            with torch.no_grad():
                network[0].weight.add_(30.0)
        return super().loss(network, batch)


def torn(options: Training) -> Torn:
    made = Torn(*data(), nn.functional.mse_loss, options.batch, options.seed)
    made.valid = ArrayProblem(*data(), nn.functional.mse_loss, options.batch, options.seed)
    return made


@pytest.mark.slow
def test_a_torn_run_goes_on_from_its_best_weights_with_half_the_rate(monkeypatch):
    options = Training(steps=1200, batch=8, validations=8, patience=20, learning_rate=3e-3)
    progress = run(network(), torn(options), options)
    assert (progress.mends, progress.rate) == (1, 0.5)
    assert [row["step"] for row in progress.curve if "mended" in row] == [450]
    assert progress.curve[2]["loss"] > 10 * progress.curve[1]["loss"]
    assert progress.curve[-1]["loss"] < progress.curve[1]["loss"]
    monkeypatch.setattr("saiki.training.loop.MENDS", 0)
    left = run(network(), torn(options), options)
    assert (left.mends, left.rate) == (0, 1.0)
    assert left.curve[-1]["loss"] > progress.curve[-1]["loss"]


@pytest.mark.slow
def test_a_mended_run_resumes_bit_for_bit(tmp_path):
    options = Training(
        steps=800, batch=8, validations=8, patience=20, learning_rate=3e-3, checkpoint_every=50, average=0.9
    )
    whole = network()
    expected = run(whole, torn(options), options)
    assert expected.mends == 1
    half = network()
    with pytest.raises(RuntimeError):
        run(half, torn(options), options, folder=tmp_path, hooks=[StopAt(520, RuntimeError)])
    again, rest = network(), torn(options)
    rest.at = -1
    found = run(again, rest, options, folder=tmp_path, resume=True)
    assert found.curve == expected.curve
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True))


class Noise:
    """Nothing to learn: a loss that jumps, and perhaps no score; from a step on, no number at all."""

    epoch = 10

    def __init__(self, score: float, broken: int = 10**9) -> None:
        self.score, self.left = score, broken

    def draw(self, rng, step):
        return float(rng.normal())

    def loss(self, network, batch):
        self.left -= 1
        return (network.weight.sum() * 0 + batch**2) * (1 if self.left > 0 else float("nan"))

    def validate(self, network):
        return self.score if self.left > 0 else float("nan")


@pytest.mark.slow
@pytest.mark.parametrize("score", [1.0, float("nan")])
def test_noise_is_not_mended(score):
    progress = run(nn.Linear(2, 1), Noise(score), Training(steps=2000, batch=4, validations=20, patience=100))
    assert (progress.mends, progress.rate) == (0, 1.0)


def test_weights_that_are_no_numbers_are_never_the_best():
    net = nn.Linear(2, 1)
    progress = run(net, Noise(1.0, broken=1250), Training(steps=2000, batch=4, validations=10, patience=100))
    assert progress.best_step <= 1200
    assert progress.mends > 0
    assert progress.best_rate == 1.0
    assert all(p.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("score", [1.0, float("nan")])
def test_a_run_that_diverges_before_it_has_a_state_to_go_back_to_is_an_error(score):
    with pytest.raises(TrainingError, match=r"training diverged: within 50 steps .* lower --learning-rate"):
        run(nn.Linear(2, 1), Noise(score, broken=20), Training(steps=200, batch=4, validations=4))
