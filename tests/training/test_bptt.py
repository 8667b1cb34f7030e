"""Truncated back-propagation: right gradients, states carried, resumed in the middle, memory that does not grow."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

import saiki
from saiki import nn
from saiki.errors import DataError, OptionError
from saiki.sequence import Ragged
from saiki.training.arrays import CutProblem
from saiki.training.bptt import Cuts
from saiki.training.checkpoint import Progress, Run
from saiki.training.devices import backend
from saiki.training.loop import _mend, make_optimizer, train_step
from saiki.training.loop import fit as run
from saiki.training.options import Training

LENGTHS = np.array([7, 0, 12, 1, 5])


def network(cell: str = "gru", seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return nn.StepReadout(nn.Recurrent(cell, 2, 4, num_layers=2, batch_first=True, dropout=0.2), 1)


def data(lengths=LENGTHS) -> tuple[Ragged, Ragged]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(sum(lengths), 2))
    return Ragged(x, lengths), Ragged(np.cumsum(x[:, :1], 0), lengths)


def problem(batch=5, size=4) -> CutProblem:
    return CutProblem(*data(), mse_loss, batch, size, seed=0)


def test_every_step_is_seen_once_per_epoch_and_in_order():
    cuts = Cuts(LENGTHS, batch=2, size=4, seed=3)
    for epoch in range(3):
        seen: dict[int, list[int]] = {}
        for step in range(cuts.epoch):
            rows, start, first = cuts.at(epoch * cuts.epoch + step)
            assert first == (start == 0)
            for row in rows.tolist():
                seen.setdefault(row, []).extend(range(start, min(start + 4, LENGTHS[row])))
        assert all(seen[row] == list(range(length)) for row, length in enumerate(LENGTHS) if length)
    many = Cuts(np.full(20, 9), batch=4, size=4, seed=3)
    assert not np.array_equal(many.at(0).rows, many.at(many.epoch).rows), "every epoch the same batches"


def test_nothing_but_empty_sequences_is_an_error():
    with pytest.raises(DataError, match="no steps"):
        Cuts(np.zeros(3, int), 2, 4, 0)


@pytest.mark.parametrize("cell", ["gru", "lstm", "qrnn", "lru"])
def test_cuts_carry_states_and_cut_gradients(cell):
    """The answers are those of the uncut sequences; the gradients, those of a state given as a constant."""
    made, net = problem(size=4), network(cell).eval()
    x, _ = data()
    padded = saiki.Batch.of(x, dtype=torch.float32)
    whole, _ = net(padded.values, None, lengths=padded.lengths)
    states = None
    for step in range(made.epoch):
        batch = made.draw(np.random.default_rng(0), step)
        rows, start, _ = made.cuts.at(step)
        loss = made.loss(net, batch)
        part, given = padded.values[rows, start : start + 4], (padded.lengths[rows] - start).clamp(0, 4)
        out, states = net(part, states, lengths=given)
        inside = torch.arange(part.shape[1]) < given[:, None]
        torch.testing.assert_close(out[inside], whole[rows, start : start + 4][inside])
        torch.testing.assert_close(loss, mse_loss(out[inside], batch["y"]))
        expected = torch.autograd.grad(mse_loss(out[inside], batch["y"]), list(net.parameters()))
        torch.testing.assert_close(torch.autograd.grad(loss, list(net.parameters())), expected)
        states = [type(s)(*(p.detach() for p in s)) for s in states]


def test_one_cut_is_the_whole_sequence():
    made, net = problem(size=12), network().eval()
    assert made.epoch == 1
    x, y = (saiki.Batch.of(part, dtype=torch.float32) for part in data())
    out, _ = net(x.values, None, lengths=x.lengths)
    inside = torch.arange(12) < x.lengths[:, None]
    torch.testing.assert_close(
        made.loss(net, made.draw(np.random.default_rng(0), 0)), mse_loss(out[inside], y.values[inside])
    )


def test_a_run_stopped_inside_a_sequence_resumes_bit_for_bit(tmp_path):
    options = Training(steps=11, batch=5, bptt=4, checkpoint_every=4, validations=2)

    class Stop:
        def started(self, progress): ...
        def validated(self, progress, row): ...
        def ended(self, progress): ...
        def stepped(self, progress, loss):
            if progress.step == 5:
                raise MemoryError

    whole, resumed = network(), network(seed=1)
    run(whole, problem(), options)
    with pytest.raises(MemoryError):
        run(network(), problem(), options, folder=tmp_path, hooks=[Stop()])
    run(resumed, problem(), options, folder=tmp_path, resume=True)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_states_of_torn_weights_are_left_behind():
    options, torn = Training(steps=9, batch=5, bptt=4), problem()
    engine, one = backend(options), network()
    run = Run(one, make_optimizer(one, options), Progress(9), {}, {}, torn.carry)
    train_step(run, torn, options, engine)
    run.best = {k: v.clone() for k, v in one.state_dict().items()}
    with torch.no_grad():
        next(one.parameters()).fill_(torch.nan)
    run.progress.step = 1
    assert train_step(run, torn, options, engine).isnan()
    _mend(run)
    run.progress.step = 2
    assert train_step(run, torn, options, engine).isfinite()


@pytest.mark.parametrize("layer", [torch.nn.GRU, nn.LSTM])
def test_fit_learns_what_needs_the_carried_state(layer):
    """The answer is the first number of the sequence, two cuts ago: only a state that is carried knows it."""
    rng, time = np.random.default_rng(0), 12
    x = np.zeros((64, time, 2), np.float32)
    x[:, 0, 0] = rng.choice([-1, 1], 64)
    x[:, 0, 1] = 1
    y = np.repeat(x[:, :1, :1], time, 1)
    torch.manual_seed(0)
    net = nn.StepReadout(layer(2, 8, batch_first=True), 1)
    progress = saiki.fit(net, x, y, bptt=4, batch=16, epochs=16, learning_rate=0.05, valid=(x, y))
    assert progress.best_score < 0.05, "the variance of the answer is 1"


def test_classes_at_every_step():
    x = np.random.default_rng(0).normal(size=(8, 6, 2)).astype(np.float32)
    y = (x[..., 0] > 0).astype(np.int64)
    net = nn.StepReadout(nn.Recurrent("gru", 2, 8, batch_first=True), 2)
    assert saiki.fit(net, x, y, loss="cross_entropy", bptt=3, batch=8, steps=150).curve[-1]["loss"] < 0.3


def test_targets_of_another_length_are_an_error():
    with pytest.raises(DataError, match="one target for every step"):
        saiki.fit(network(), np.zeros((3, 5, 2)), np.zeros((3, 4, 1)), bptt=2, epochs=1)


def test_a_task_that_cannot_cut_says_so():
    with pytest.raises(OptionError, match="--bptt has no meaning for forecast"):
        saiki.train("forecast", np.zeros((2, 50)), horizon=2, bptt=5, steps=1)


_PEAK = """
import resource, sys, numpy as np, saiki, torch
torch.set_num_threads(1)
time = int(sys.argv[1])
x = np.random.default_rng(0).normal(size=(16, time, 4)).astype(np.float32)
net = saiki.nn.StepReadout(saiki.nn.LSTM(4, 64, batch_first=True), 1)
saiki.fit(net, x[:, :1000], x[:, :1000, :1], bptt=100, batch=16, steps=10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
saiki.fit(net, x, x[:, :, :1], bptt=100, batch=16, epochs=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_is_constant_over_ten_thousand_steps():
    """Beside the data themselves 10,000 steps take no more than 1,000; uncut it would be 200 MB."""
    done = subprocess.run([sys.executable, "-c", _PEAK, "10000"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000, f"{done.stdout} kB more than for 1,000 steps"
