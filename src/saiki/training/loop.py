"""The training loop: draw, forward, backward, clip, step; now and then validate and keep the best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from saiki.errors import TrainingError
from saiki.training import checkpoint
from saiki.training.checkpoint import Progress, Run
from saiki.training.devices import Backend, backend
from saiki.training.options import Training
from saiki.training.readout import fit_readouts, in_closed_form

#: steps that are timed, on a copy, to turn minutes into a number of steps: each at least so often, and for such a share of
#: the budget, so that a moment in which the machine is busy does not count
TIMED_STEPS, TIMES, TIMED_SHARE = 8, 3, 0.02
#: steps that a budget in minutes always allows, however few the data
FEWEST_STEPS = 300
#: how much longer than its minutes a run may be heading for before it is shortened, how often that is looked at, and after which
#: share of the minutes first
OVERRUN, LOOKS, FIRST_LOOK = 1.05, 100, 0.1

#: a run is torn where the mean loss between two validations, so many steps apart or more, and the score are so much above the
#: least so far; how often it may be mended
TORN, FEWEST_TORN, MENDS = 1.1, 100, 4


class Problem(Protocol):
    """What the loop needs to know of a task. One that carries states from step to step has a `carry` (`Carry`) too; one
    with parts of the network to be found before the first step has `start(network)`; one that is learned by heart early may be
    tried for a shorter time too (`brief`), one of an ensemble whose size is open is `spare` (see `members.py`)."""

    #: optimiser steps in an epoch
    epoch: int

    def draw(self, rng: np.random.Generator, step: int) -> Any:
        """The training batch of a step; `rng` is seeded for it."""
        ...

    def loss(self, network: nn.Module, batch: Any) -> Tensor:
        """The number to lower."""
        ...

    def validate(self, network: nn.Module) -> float:
        """The validation score, lower is better; NaN when there is nothing to validate on."""
        ...


class Hook(Protocol):
    """Told what happens while a network is trained."""

    def started(self, progress: Progress) -> None: ...
    def stepped(self, progress: Progress, loss: float) -> None: ...
    def validated(self, progress: Progress, row: dict[str, float]) -> None: ...
    def ended(self, progress: Progress) -> None: ...


def fit(
    network: nn.Module,
    problem: Problem,
    options: Training,
    *,
    folder: Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
    hooks: Sequence[Hook] = (),
    began: float | None = None,
    share: float = 1.0,
    steps: int | None = None,
    rate: float = 1.0,
    label: str = "training",
) -> Progress:
    """Train `network` in place and leave it with its best weights.

    Step k draws its batch and its dropout from (seed, k) alone, so a run that was resumed from a checkpoint in `folder` equals
    one that was never stopped, bit for bit, on the same machine with the same threads. `began` is the clock
    (`time.perf_counter`) at which a budget in minutes started, of which a `share` is for this run; `steps` is a number of steps
    that is known already, `rate` a share of the learning rate; `label` says to hooks what run it is. Ctrl-C ends training early
    and keeps the best so far.

    A run that is torn, its loss and its score rising instead of falling, goes on from its best weights with half the learning rate.

    A network of fixed reservoirs takes one pass over the data instead, whatever the budget: see `readout.py`.
    """
    if in_closed_form(network, problem):
        return fit_readouts(network, problem, hooks, label)
    if begin := getattr(problem, "start", None):
        begin(network)
    engine, home = backend(options), next((p.device for p in network.parameters()), torch.device("cpu"))
    identity = identity or {}
    network, optimizer = engine.setup(network, make_optimizer(network, options))
    run = Run(network, optimizer, Progress(0), {}, {}, getattr(problem, "carry", None))
    found = checkpoint.newest(folder) if folder and resume else None
    if found:
        run.restore(*checkpoint.read(found, identity))
    else:
        if steps:
            run.progress = Progress(steps, budget=share * (options.seconds or 0.0), most=steps, rate=rate)
        else:
            run.progress = _planned(run, problem, options, engine, began or time.perf_counter(), share)
        if folder:
            checkpoint.write(folder, run, identity)
    run.progress.label = label
    with torch.random.fork_rng(devices=[]):
        try:
            _steps(run, problem, options, engine, hooks, lambda: folder and checkpoint.write(folder, run, identity))
        except KeyboardInterrupt:  # amid a step the last checkpoint is where a resumed run goes on
            if folder and run.whole:
                checkpoint.write(folder, run, identity)
    if run.best:
        network.load_state_dict(run.best)
    network.to(home).eval()
    for hook in hooks:
        hook.ended(run.progress)
    return run.progress


def _steps(
    run: Run, problem: Problem, options: Training, engine: Backend, hooks: Sequence[Hook], save: Callable[[], Any]
) -> None:
    progress = run.progress
    for hook in hooks:
        hook.started(progress)
    while not progress.done:
        since, run.whole = time.perf_counter(), False
        every = max(1, math.ceil(progress.steps / options.validations))
        loss = train_step(run, problem, options, engine).item()
        progress.step += 1
        progress.loss_sum += loss
        progress.loss_count += 1
        last = progress.step >= progress.steps
        row = None
        if progress.step % every == 0 or last:
            row = {
                "step": progress.step,
                "loss": progress.loss_sum / progress.loss_count,
                "score": _validate(run, problem),
            }
            progress.loss_sum, progress.loss_count = 0.0, 0
            if not math.isfinite(row["loss"]) and not math.isfinite(progress.best_score):
                raise TrainingError(_diverged(progress.step, options))
            _keep_best(run, row["score"])
            if not last and _torn(progress, row):
                _mend(run)
                row["mended"] = progress.rate
            progress.done = last or progress.waited >= options.patience
            progress.curve.append(row)
        progress.seconds += time.perf_counter() - since
        _shorten(progress)
        run.whole = True
        if progress.step % options.checkpoint_every == 0 or progress.done:
            save()
        for hook in hooks:
            hook.stepped(progress, loss)
            if row:
                hook.validated(progress, row)


def _diverged(step: int, options: Training) -> str:
    """What to do where there is no better state to go back to."""
    return (
        f"training diverged: within {step:,} steps the loss is not a number any more, and no state before had a score; lower "
        f"--learning-rate ({options.learning_rate:g}) or --clip ({options.clip:g}), or see whether the data hold extreme values"
    )


def _torn(progress: Progress, row: dict[str, float]) -> bool:
    """Whether the steps since the last validation tell of a learning rate too high to hold: what is learned by heart has a
    worse score and a lower loss, noise has a loss alone. Nothing tells it where nothing is held out."""
    before = progress.curve[-1]["step"] if progress.curve else 0
    least, best = min((each["loss"] for each in progress.curve), default=0.0), progress.best_score
    if (
        row["step"] - before < FEWEST_TORN
        or not math.isfinite(best)
        or min(least, best) <= 0
        or progress.mends >= MENDS
    ):
        return False
    return not (row["loss"] <= TORN * least or row["score"] <= TORN * best)


def _mend(run: Run) -> None:
    """Back to the best weights, with half the learning rate and without what the optimiser remembers."""
    run.network.load_state_dict(run.best)
    run.optimizer.state.clear()
    run.average = {}
    if run.carry:  # the states of the torn weights would tear the mended ones
        run.carry.reset()
    run.progress.rate, run.progress.mends, run.progress.waited = run.progress.rate / 2, run.progress.mends + 1, 0


def _shorten(progress: Progress) -> None:
    """Fewer steps where a machine that became slower would take the run past its minutes; the schedule then ends sooner too.

    A slow moment is made up for: as the mean time of a step comes down again, steps come back, up to those planned.
    """
    if progress.done or progress.step % max(1, progress.most // LOOKS):
        return
    if progress.budget <= 0 or progress.seconds < FIRST_LOOK * progress.budget:
        return
    pace = progress.seconds / progress.step
    fits = progress.step + max(1, int((progress.budget - progress.seconds) / pace))
    progress.steps = progress.most if progress.most * pace <= OVERRUN * progress.budget else min(progress.most, fits)


def train_step(run: Run, problem: Problem, options: Training, engine: Backend) -> Tensor:
    """One optimiser step, drawn from the seed and the number of the step."""
    step = run.progress.step
    seeds = np.random.SeedSequence([options.seed, step, engine.rank])
    engine.seed(int(seeds.generate_state(1)[0]))
    for group in run.optimizer.param_groups:
        group["lr"] = run.progress.rate * options.learning_rate * schedule(step, run.progress.steps, options)
    run.network.train()
    batch = engine.move(problem.draw(np.random.default_rng(seeds), step))
    with engine.autocast():
        loss = problem.loss(run.network, batch)
    engine.backward(loss)
    _clip(run.network, options.clip)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    if options.average:
        _average(run, options.average)
    return loss.detach()


def _clip(network: nn.Module, most: float) -> None:
    """As `nn.utils.clip_grad_norm_`, which also reads and writes gradients that are small enough."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if not norm <= most:
        nn.utils.clip_grads_with_norm_(network.parameters(), most, norm)


def schedule(step: int, steps: int, options: Training) -> float:
    """Share of the highest learning rate: a linear warm-up, then constant or half a cosine down to 1 %."""
    warm = max(1, round(options.warmup * steps))
    if step < warm and options.warmup:
        return (step + 1) / warm
    if options.schedule == "constant":
        return 1.0
    done = (step - warm) / max(1, steps - warm)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def make_optimizer(network: nn.Module, options: Training) -> torch.optim.AdamW:
    """AdamW; biases and other vectors are not decayed."""
    matrices = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in matrices + vectors)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=options.learning_rate, fused=fused)


def _planned(run: Run, problem: Problem, options: Training, engine: Backend, began: float, share: float) -> Progress:
    """The length of the run: as given, or as many steps as fit the minutes, timed on a copy that is thrown away."""
    if options.seconds is None:
        return Progress(options.steps or (options.epochs or 1) * problem.epoch)
    network = deepcopy(run.network)
    trial = Run(network, make_optimizer(network, options), Progress(10**6), {}, {})
    with torch.random.fork_rng(devices=[]):
        pace = _pace(trial, problem, options, engine, share * TIMED_SHARE * options.seconds)
        start = time.perf_counter()
        _validate(trial, problem)
        validating = options.validations * (time.perf_counter() - start)
    left = share * (options.seconds - (time.perf_counter() - began)) - validating
    fitting = max(TIMED_STEPS, int(left / pace))
    steps = min(fitting, max(FEWEST_STEPS, options.most_epochs * problem.epoch))
    planned = steps * pace + validating
    return Progress(steps, planned=planned, validating=validating, budget=left + validating, most=steps)


def _pace(trial: Run, problem: Problem, options: Training, engine: Backend, seconds: float) -> float:
    """Seconds of a step: the mean of several, which differ, of the least time that each takes when it is done again and again.

    What else the machine does for a moment makes some of these times longer and leaves the least alone.
    """
    least, began, times = np.full(TIMED_STEPS, np.inf), time.perf_counter(), 0
    while times < TIMES or time.perf_counter() - began < seconds:
        for step in range(TIMED_STEPS):
            trial.progress.step, start = step, time.perf_counter()
            train_step(trial, problem, options, engine)
            least[step] = min(least[step], time.perf_counter() - start)
        times += 1
    return float(least.mean())


def _validate(run: Run, problem: Problem) -> float:
    """The score of the averaged weights if there are any, else of the present ones."""
    run.network.eval()
    present = {k: v.clone() for k, v in run.network.state_dict().items()} if run.average else {}
    if run.average:
        run.network.load_state_dict(run.average)
    with torch.no_grad():
        score = problem.validate(run.network)
    if present:
        run.network.load_state_dict(present)
    return float(score)


def _keep_best(run: Run, score: float) -> None:
    progress = run.progress
    if score < progress.best_score or (math.isnan(score) and not math.isfinite(progress.best_score)):
        progress.best_score, progress.best_step, progress.waited = score, progress.step, 0
        progress.best_rate = progress.rate
        source = run.average or run.network.state_dict()
        run.best = {k: v.detach().clone() for k, v in source.items()}
    else:
        progress.waited += 1


def _average(run: Run, decay: float) -> None:
    weights = run.network.state_dict()
    if not run.average:
        run.average = {k: v.detach().clone() for k, v in weights.items()}
        return
    # the window grows with the number of steps, so that the first weights are forgotten
    decay = min(decay, (1 + run.progress.step) / (10 + run.progress.step))
    for name, value in weights.items():
        run.average[name].lerp_(value, 1 - decay) if value.is_floating_point() else run.average[name].copy_(value)
