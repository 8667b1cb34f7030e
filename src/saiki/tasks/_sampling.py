"""Training windows drawn at random, and the validation windows, as the loop wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from saiki import catalog
from saiki.baselines import linear_lags, seasonal_naive
from saiki.data.panel import Panel
from saiki.data.windows import Windows
from saiki.errors import DataError, OptionError
from saiki.metrics import mase
from saiki.network.forecaster import Forecaster, Outlook, Plan, fork_ends
from saiki.objectives._pinball import pinball
from saiki.objectives.base import Judged
from saiki.tasks.forecast import Forecast
from saiki.training.readout import Block, Readout

#: windows of the validation score at most; it steers training, the full score is taken at the end
MOST_VALIDATED = 1024
#: validation windows of one series at most
MOST_ORIGINS = 64
#: from so many series on, their last horizon is enough to validate on
MANY_SERIES = 20
#: fewest patches of a training window, where the series has them
FEWEST_PATCHES = 3

#: windows that a readout in closed form is found from, at most; of more, as many evenly spread ones
MOST_WINDOWS = 200_000
#: windows that go through a network of reservoirs together, and those that its units are taken from
TOGETHER, PREPARED = 1024, 2048

Encode = Callable[[Windows, np.ndarray, np.ndarray], dict[str, Tensor]]


def held_out(options: Forecast, panel: Panel) -> int:
    """Steps at the end of every series that are for validation: a horizon, or a tenth of few series.

    One horizon of a few series is too little to tell a good network from a lucky one.
    """
    if options.validate_steps is not None:
        if options.validate_steps < options.horizon:
            raise OptionError(f"validate_steps {options.validate_steps} is less than the horizon, {options.horizon}")
        return options.validate_steps
    return options.horizon if len(panel) >= MANY_SERIES else max(options.horizon, int(np.median(panel.lengths)) // 10)


def validated_places(lengths: np.ndarray, steps: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Series and places of the validation windows, spread over the last `steps` steps of each series, the last one first.

    A series that is too short to hold steps out is for training only.
    """
    series = np.flatnonzero(lengths >= steps + 2)
    each = max(1, min(steps - horizon + 1, MOST_VALIDATED // max(1, len(series)), MOST_ORIGINS))
    back = np.linspace(0, steps - horizon, each).astype(np.int64)
    return np.repeat(series, each), (lengths[series, None] - horizon - back).ravel()


class ForecastProblem:
    """Windows of a panel to learn from. Every series is drawn as often as any other, every place in it too."""

    #: few series are learned by heart early: see training/members.py
    brief = True

    @property
    def spare(self) -> bool:
        """Whether further networks are trained in the time that one leaves."""
        return self.options.ensemble is None and self.options.from_ is None

    def __init__(
        self,
        options: Forecast,
        plan: Plan,
        train: Panel,
        valid: tuple[Panel, np.ndarray, np.ndarray] | None,
        encode: Encode,
        batch: int,
    ) -> None:
        self.options, self.plan, self.encode = options, plan, encode
        self.objective = catalog.load("objectives", options.loss).loss
        beside = plan.distribution != "quantiles" and not plan.joint
        self.likelihood = catalog.load("objectives", plan.distribution).loss if beside else None
        self.windows = Windows(train, history=plan.history, horizon=plan.horizon)
        self.first, self.last = _places(options, plan, train)
        self.series = np.flatnonzero((self.last >= self.first) & _any_observed(train))
        if not len(self.series):
            raise DataError("no series has two values before what is held out; expected something to learn from")
        places = int((self.last - self.first + 1)[self.series].sum())
        self.batch = min(batch, places)
        self.epoch = -(-places // self.batch)
        self.unit, self.naive = _units(train, plan)
        self.valid = valid
        self._validation: dict[str, Tensor] | None = None
        self._linear: Tensor | None = None

    def start(self, network: Forecaster) -> None:
        """Find the linear forecast of a fresh network in closed form; that of one which training goes on from stays."""
        if network.linear is None or network.linear.weight.any():
            return
        panel, plan = self.windows.panel, self.plan
        if plan.log:
            panel = replace(panel, y=np.log(np.where(panel.y > 0, panel.y, np.nan)))
        if self._linear is None:
            self._linear = torch.from_numpy(linear_lags.weights(panel, plan.lags, plan.horizon, plan.season))
        network.linear.weight.copy_(self._linear)

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Tensor]:
        """A batch of windows, drawn uniformly over series and over places."""
        series = self.series[rng.integers(len(self.series), size=self.batch)]
        ends = rng.integers(self.first[series], self.last[series], endpoint=True)
        return self._with_unit(self.windows, series, ends)

    def _with_unit(self, windows: Windows, series: np.ndarray, ends: np.ndarray) -> dict[str, Tensor]:
        batch = self.encode(windows, series, ends)
        batch["unit"] = torch.from_numpy(self.unit[series])[:, None]
        return batch

    def loss(self, network: torch.nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The objective of the points, and the pinball loss of the quantiles where there are any."""
        forks = self.plan.forks if network.training else 1
        outlook: Outlook = network(batch, forks)
        judged = self._judge(outlook, self._targets(batch, forks), batch["unit"].repeat_interleave(forks, 0))
        total = self.objective(judged)
        if self.likelihood is not None:  # it fits the parameters alone: the point and the state are the objective's
            total = total + self.likelihood(
                judged._replace(inner=judged.inner.detach(), forecast=judged.forecast.detach())
            )
        if outlook.quantiles is not None:
            total = total + pinball(outlook.quantiles, judged.inner_truth, self.plan.levels, judged.weight)
        return total

    def _targets(self, batch: dict[str, Tensor], forks: int) -> Tensor:
        """What each fork should say: `[batch · forks, horizon]`, NaN where it is missing or the fork knows nothing."""
        ends = fork_ends(self.plan, forks)
        values = torch.cat([batch["y"], batch["target"]], 1)
        target = values[:, ends[:, None] + torch.arange(self.plan.horizon)]
        known = batch["y"].isfinite().cumsum(1)[:, ends - 1] > 0
        return torch.where(known[..., None], target, torch.nan).flatten(0, 1)

    def _judge(self, outlook: Outlook, target: Tensor, unit: Tensor) -> Judged:
        known = target.isfinite()
        scale, single = outlook.scale, outlook.point.dtype
        inner_truth = scale.inward(torch.where(known, target, 1))
        return Judged(
            forecast=outlook.points(),
            truth=torch.where(known, target, 0),
            inner=outlook.point,
            inner_truth=torch.where(known, inner_truth, 0).to(single),
            weight=known.to(single),
            spread=scale.spread.to(single),
            unit=unit,
            log=scale.log,
            naive=self.naive,
            shape=outlook.shape,
        )

    def readouts(self, network: Forecaster) -> Iterator[Readout]:
        """The one readout of a network of fixed reservoirs, of all windows whose horizon is wholly observed."""
        series, ends = self._every_window()
        some = np.linspace(0, len(series) - 1, min(len(series), PREPARED)).astype(np.int64)
        network.prepare(self.encode(self.windows, series[some], ends[some]))
        blocks = self._blocks(network, series, ends)
        yield Readout(network.readout_columns, self.plan.horizon, len(series), blocks, network.take)

    def _every_window(self) -> tuple[np.ndarray, np.ndarray]:
        """Series and places to forecast from: all, or evenly spread ones."""
        first, counts = self.first[self.series], (self.last - self.first + 1)[self.series]
        total = int(counts.sum())
        chosen = np.arange(0, total, -(-total // MOST_WINDOWS))
        row = np.searchsorted(np.cumsum(counts), chosen, side="right")
        return self.series[row], first[row] + chosen - (np.cumsum(counts) - counts)[row]

    def _blocks(self, network: Forecaster, series: np.ndarray, ends: np.ndarray) -> Iterator[Block]:
        """What the readout sees, and the truth less what the network adds untrained, in units of the windows."""
        complete = 0
        for begin in range(0, len(series), TOGETHER):
            batch = self.encode(self.windows, series[begin : begin + TOGETHER], ends[begin : begin + TOGETHER])
            known = batch["target"].isfinite().all(1) & batch["y"].isfinite().any(1)
            batch = {name: values[known] for name, values in batch.items()}
            complete += len(batch["y"])
            if len(batch["y"]):
                seen, base, scale = network.columns(batch)
                yield seen, scale.inward(batch["target"]) - base, None
        if complete < 2:
            raise DataError(
                f"{complete} windows have all {self.plan.horizon} steps of their horizon observed; echo_state needs at least 2 "
                "to learn from: take a shorter --horizon, or another --cell"
            )

    def validate(self, network: torch.nn.Module) -> float:
        """The loss on validation windows; NaN without any."""
        if self.valid is None:
            return float("nan")
        if self._validation is None:
            panel, series, ends = self.valid
            some = np.linspace(0, len(series) - 1, min(len(series), MOST_VALIDATED)).astype(np.int64)
            windows = Windows(panel, history=self.plan.history, horizon=self.plan.horizon)
            self._validation = self._with_unit_of(panel, windows, series[some], ends[some])
        return float(self.loss(network, self._validation))

    def _with_unit_of(self, panel: Panel, windows: Windows, series: np.ndarray, ends: np.ndarray) -> dict[str, Tensor]:
        batch = self.encode(windows, series, ends)
        unit = _units(panel, self.plan)[0] if panel is not self.windows.panel else self.unit
        batch["unit"] = torch.from_numpy(unit[series])[:, None]
        return batch


def _places(options: Forecast, plan: Plan, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """First and last place to forecast from in each series; none in a series of fewer than two steps.

    The horizon lies inside the series where it can; a shorter series is used as far as it goes.
    """
    last = np.where(panel.lengths >= 2, np.maximum(panel.lengths - plan.horizon, 1), -1)
    return np.minimum(first_place(options, plan), np.maximum(last, 0)), last


def first_place(options: Forecast, plan: Plan) -> int:
    """Steps before the first place to forecast from, in a series that is long enough."""
    shortest = options.shortest or (options.history if options.history else FEWEST_PATCHES * plan.patch)
    return min(shortest + (plan.forks - 1) * plan.patch, plan.history)


def _any_observed(panel: Panel) -> np.ndarray:
    """Whether a series has two observed values: `[series]`."""
    count = np.concatenate([[0], np.cumsum(np.isfinite(panel.y))])
    return count[panel.starts + panel.lengths] - count[panel.starts] >= 2


def _units(panel: Panel, plan: Plan) -> tuple[np.ndarray, tuple[float, float]]:
    """Each series' in-sample seasonal naive error `[series]`, and that forecast's mean relative and scaled errors.

    A series without such an error (constant, too short) has an infinite unit: the scaled part of a loss passes over it.
    """
    scale = mase.scale(panel, plan.season)
    plain = mase.scale(panel, 1)
    unit = np.where(np.isfinite(scale), scale, plain)
    history, truth = panel.cut(plan.horizon)
    some = np.flatnonzero(truth.lengths > 0)[:: max(1, len(panel) // 1000)]
    if not len(some):
        return np.where(np.isfinite(unit), unit, np.inf), (1.0, 1.0)
    target = truth.select(some).y.reshape(len(some), plan.horizon)
    naive = seasonal_naive.forecast_all(history.select(some), plan.horizon, plan.season)
    with np.errstate(all="ignore"):
        errors = np.abs(target - naive) / unit[some, None]
        scaled = float(errors[np.isfinite(errors)].mean()) if np.isfinite(errors).any() else 1.0
        both = (target > 0) & (naive > 0)
        relative = float(np.mean(np.abs(np.log(target[both] / naive[both])))) if both.any() else 1.0
    good = [v if np.isfinite(v) and v > 1e-6 else 1.0 for v in (relative, scaled)]
    return np.where(np.isfinite(unit), unit, np.inf), (good[0], good[1])


def make_network(plan: Plan, options, width: int, seed: int) -> Forecaster:
    """A fresh network, its weights drawn from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Forecaster(plan, options, width)
