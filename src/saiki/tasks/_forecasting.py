"""The task forecast at work: fitted to a table, it builds its network, judges it and answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from saiki import baselines, metrics
from saiki.data.frames import forecast_frame, native
from saiki.data.frequency import Frequency, infer
from saiki.data.panel import Panel, panel
from saiki.data.roles import Roles
from saiki.data.split import Split, by_id, by_time
from saiki.data.windows import WindowBatch, Windows
from saiki.errors import DataError
from saiki.modalities import table
from saiki.network.forecaster import Forecaster, Plan
from saiki.readers import read_frame
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._plan import default_width, make_plan
from saiki.tasks._sampling import ForecastProblem, held_out, make_network, validated_places
from saiki.tasks._task import Task
from saiki.tasks.forecast import Forecast

#: what `saiki inspect` says of the option scale
UNITS = {
    "window": "in units of their window",
    "level": "less the mean of their window",
    "last": "less the last value of their window",
    "none": "as they are",
}
#: windows that are forecast together
TOGETHER = 1024


@dataclass(frozen=True)
class ForecastTask(Task):
    """Everything but the weights that a forecast needs; plain data, saved with the model."""

    takes = ("target", "id", "time")
    answer = "forecast"

    options: Forecast
    roles: Roles
    frequency: Frequency
    season: int
    codec: table.TableCodec
    plan: Plan
    training_data: Panel | None = field(default=None, compare=False, repr=False)

    @classmethod
    def fit(cls, options: Forecast, data: Any, columns: dict[str, Any]) -> ForecastTask:
        """Understand the data: roles of the columns, frequency, season, statistics of the covariates, sizes."""
        columns = {k: columns.get(k) for k in cls.takes} | {
            k: getattr(options, k) for k in ("past", "future", "static", "freq", "season")
        }
        everything = panel(as_table(data), **columns)
        training = _training_part(options, everything)
        codec = table.fit(training, table.TableOptions(calendar=options.calendar))
        plan = make_plan(options, training, codec)
        return cls(options, everything.roles, everything.frequency, everything.season, codec, plan, everything)

    def describe(self) -> list[tuple[str, str]]:
        assert self.training_data is not None
        return self.training_data.describe()

    def fingerprint(self, data: Any = None) -> str:
        """Whatever the file format or the order of the rows."""
        panel = self.training_data if data is None else self.read(data)
        assert panel is not None
        digest = hashlib.sha256()
        for part in (panel.ids.astype(str), panel.lengths, panel.times, panel.y):
            digest.update(part.tobytes())
        return digest.hexdigest()

    @property
    def headline(self) -> str:
        return f"{self.plan.horizon} steps ahead"

    def facts(self) -> list[tuple[str, str]]:
        """Window, values, and whether it streams."""
        plan = self.plan
        values = ("logarithm, " if plan.log else "") + UNITS[plan.scale]
        streams = f"looks back {plan.history} steps; a step computes the window anew"
        return [
            ("window", f"{plan.history} steps in {plan.tokens} patches of {plan.patch}; season {plan.season}"),
            ("values", values),
            ("stream", "no: some columns must be known ahead (--future)" if self.roles.future else streams),
        ]

    def next_commands(self, folder: Path, data: Path) -> list[str]:
        predict, evaluate, inspect = super().next_commands(folder, data)
        return [predict, f"{evaluate}    (history and truth in one file)", inspect]

    def network(self, options: Any, width: int, seed: int) -> Forecaster:
        """A fresh network."""
        return make_network(self.plan, options, width, seed)

    @property
    def default_width(self) -> int:
        """Units per layer where none are asked for."""
        assert self.training_data is not None
        return default_width(len(self.training_data))

    @property
    def refits(self) -> bool:
        """Whether the network is trained once more on everything: a tenth of few series is too much to leave out."""
        assert self.training_data is not None
        return self.options.holdout == "time" and held_out(self.options, self.training_data) > self.options.horizon

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> ForecastProblem:
        """What the training loop needs.

        `valid` is a table that is validated instead of the end of the data; with `whole` nothing is held out.
        """
        assert self.training_data is not None
        everything = whole or valid is not None
        training = self.training_data if everything else _training_part(self.options, self.training_data)
        validation = None if whole else self._validation(valid)
        return ForecastProblem(self.options, self.plan, training, validation, self.encode, batch)

    def _validation(self, valid: Any) -> tuple[Panel, np.ndarray, np.ndarray] | None:
        """The panel and the places in it that are validated."""
        options, own = self.options, self.training_data
        if valid is None and (options.holdout == "none" or own is None):
            return None
        if valid is None and options.holdout == "time" and own is not None:
            judged = own
            series, ends = validated_places(own.lengths, held_out(options, own), self.plan.horizon)
        else:
            judged = self.read(valid) if valid is not None or own is None else _split(options, own).valid
            series, ends = Windows(judged, history=self.plan.history, horizon=self.plan.horizon).positions("valid")
        return (judged, series, ends) if len(series) else None

    def read(self, data: Any) -> Panel:
        """A table read as the training data was; DataError for one whose steps are shorter."""
        found = panel(as_table(data), roles=self.roles, freq=self.frequency.name, season=self.season)
        if not found.frequency.regular and (found.lengths > 2).any():
            step = infer(found.times, found.lengths)
            if step.unit == self.frequency.unit and step.count < self.frequency.count:
                raise DataError(
                    f"the rows are {step.name} apart, the model was trained on steps of {self.frequency.name}; "
                    "bring the data to that step first"
                )
        return found

    def encode(self, windows: Windows, series: np.ndarray, ends: np.ndarray) -> dict[str, Tensor]:
        """Windows as tensors."""
        return self.tensors(windows.cut(series, ends))

    def tensors(self, cut: WindowBatch) -> dict[str, Tensor]:
        """Windows that are cut, as tensors. y and target stay in double precision and in data units."""
        arrays = self.codec.encode(cut) | {"y": cut.y, "target": cut.target}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def forecast_batch(self, network: torch.nn.Module, cut: WindowBatch) -> dict[str, np.ndarray]:
        """Columns `saiki`, `saiki-lo-80`, … as `[windows, horizon]`.

        A window without one observed value has no forecast: NaN.
        """
        batch = self.tensors(cut)
        with torch.no_grad():
            outlook = network(batch)
        answer = outlook.points()[..., None].double()
        if outlook.quantiles is not None:
            answer = torch.cat([answer, outlook.bands().double()], -1)
        known = batch["y"].isfinite().any(1)
        both = torch.where(known[:, None, None], answer, torch.nan).numpy()
        return {"saiki": both[..., 0]} | {name: both[..., 1 + k] for k, name in self._bands()}

    def forecasts(self, network: Forecaster, data: Panel) -> dict[str, np.ndarray]:
        """Forecasts from the end of each series, by column: `[series, horizon]`."""
        windows = Windows(data, history=self.plan.history, horizon=self.plan.horizon)
        network.eval()
        series = np.arange(len(data))
        parts = [series[start : start + TOGETHER] for start in range(0, len(series), TOGETHER)]
        found = [self.forecast_batch(network, windows.cut(part, data.lengths[part])) for part in parts]
        return {name: np.concatenate([f[name] for f in found]) for name in found[0]} if found else {}

    def attention(self, network: Forecaster, data: Any) -> np.ndarray:
        """Weights of the patches of each series' last window, oldest first: `[series, patches]`, rows sum to 1."""
        found = self.read(data)
        windows = Windows(found, history=self.plan.history, horizon=self.plan.horizon)
        with torch.no_grad():
            weights = network.attention(self.tensors(windows.cut(np.arange(len(found)), found.lengths)))
        return (weights if weights.dim() == 2 else weights[:, -1]).numpy()

    def _bands(self) -> Iterator[tuple[int, str]]:
        """The number of each quantile and its name, intervals in the order asked for."""
        for level in self.options.level:
            for side, p in (("lo", 0.5 - level / 200), ("hi", 0.5 + level / 200)):
                yield int(np.argmin(np.abs(np.array(self.plan.levels) - p))), f"saiki-{side}-{level:g}"

    def predict(self, network: Forecaster, data: Any) -> Any:
        """A frame of the library that the data came in: the horizon after the end of every series."""
        source = as_table(data)
        history = self.read(source)
        self._check_future(history)
        columns = self.forecasts(network, history)
        like = None if isinstance(data, str) or hasattr(data, "__fspath__") or isinstance(data, np.ndarray) else source
        return forecast_frame(history, history.future_times(self.plan.horizon), columns, like=like)

    def _check_future(self, history: Panel) -> None:
        if history.future and (history.known < self.plan.horizon).any():
            short = int(np.argmin(history.known))
            names = ", ".join(self.roles.future)
            raise DataError(
                f"the columns {names} must be known {self.plan.horizon} steps ahead; series {history.ids[short]!r} has "
                f"{history.known[short]}: add rows after the history with {names} filled in and the target left empty"
            )

    def evaluate(self, network: Forecaster, data: Any, history: Any = None) -> Evaluation:
        """Scores beside the baselines': of the last horizon in `data`, or of what follows `history`."""
        if history is None:
            past, truth = self.read(data).cut(self.plan.horizon)
            about = f"the last {self.plan.horizon} steps of each series"
        else:
            past, truth = self._after(history, data)
            about = f"the {self.plan.horizon} steps after the history of each series"
        judged = np.flatnonzero(truth.lengths > 0)
        if not len(judged):
            longest = int(past.lengths.max(initial=0))
            raise DataError(
                f"nothing to evaluate: the longest series has {longest} steps; expected at least {self.plan.horizon + 2}, "
                "or the history apart"
            )
        return self.judge(network, past.select(judged), truth.select(judged), about, left_out=len(past) - len(judged))

    def judge(self, network: Forecaster, past: Panel, truth: Panel, about: str, left_out: int = 0) -> Evaluation:
        """The score table for histories and what came after each of them."""
        horizon = self.plan.horizon
        target = np.full((len(past), horizon), np.nan)
        for row, (start, length) in enumerate(zip(truth.starts, np.minimum(truth.lengths, horizon), strict=True)):
            target[row, :length] = truth.y[start : start + length]
        forecasts = self.forecasts(network, past) | baselines.all_forecasts(past, horizon, self.season)
        scores = metrics.forecast_scores(forecasts, target, past, self.season, levels=self.options.level)
        notes = metrics.notes(target, past, self.season)
        if left_out:
            notes.append(f"{left_out} of {len(past) + left_out} series have nothing to compare with and are left out.")
        return Evaluation(about, scores, notes, forecasts, target, past)

    def validation(self, network: Forecaster, valid: Any = None) -> Evaluation | None:
        """The score table of the validation windows."""
        found = self._validation(valid)
        if found is None:
            return None
        judged, series, _ = found
        past, truth = judged.select(np.unique(series)).cut(self.plan.horizon)
        return self.judge(network, past, truth, f"validation: the last {self.plan.horizon} steps of each series")

    def _after(self, history: Any, data: Any) -> tuple[Panel, Panel]:
        """The history, and what follows it, with the series in the same order."""
        before, after = as_table(history), as_table(data)
        past = self.read(before)
        both = self.read(_joined(before, after, self.roles))
        place = {str(name): row for row, name in enumerate(both.ids)}
        order = np.array([place[str(name)] for name in past.ids], np.int64)
        both = both.select(order)
        horizon = self.plan.horizon
        ahead = np.clip(both.lengths - past.lengths, 0, horizon)
        steps = both.select(np.arange(len(both)))
        whole = steps._part(np.arange(len(both)), both.starts, past.lengths + ahead, np.zeros_like(ahead))
        before_it, after_it = _split_at(whole, past.lengths)
        if not np.array_equal(before_it.times, past.times):
            where = int(np.flatnonzero(before_it.times != past.times)[0])
            name = past.ids[np.searchsorted(past.starts, where, side="right") - 1]
            raise DataError(
                f"the truth of series {str(name)!r} does not come after its history, expected later times only"
            )
        if not after_it.lengths.any():
            raise DataError(
                "no series of the truth goes on after its history; expected the ids of the history, and later times"
            )
        return before_it, after_it

    def stream(self, network: Forecaster) -> Any:
        """Row by row: after each, the forecast that `predict` gives for all rows so far."""
        from saiki.tasks._streaming import ForecastStream

        return ForecastStream(self, network)

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return {
            "roles": self.roles.to_json(),
            "frequency": self.frequency.name,
            "season": self.season,
            "codec": self.codec.to_json(),
            "plan": asdict(self.plan),
        }

    @classmethod
    def from_json(cls, options: Forecast, stored: dict[str, Any]) -> ForecastTask:
        """From plain data and the options."""
        scale = stored["plan"]["scale"]  # true and false in the first models
        plan = stored["plan"] | {
            "scale": scale if isinstance(scale, str) else ("window" if scale else "none"),
            "levels": tuple(stored["plan"]["levels"]),
            "categories": tuple((role, codes) for role, codes in stored["plan"]["categories"]),
        }
        return cls(
            options,
            Roles.from_json(stored["roles"]),
            Frequency.parse(stored["frequency"]),
            stored["season"],
            table.TableCodec.from_json(stored["codec"]),
            Plan(**plan),
        )


def as_table(data: Any) -> Any:
    """The data as `panel` takes it; an array `[series, time]` becomes a table with one series per row."""
    if not isinstance(data, np.ndarray):
        return read_frame(data)
    rows = np.atleast_2d(data)
    if rows.ndim != 2:
        raise DataError(f"the array has shape {data.shape}; expected [series, time]")
    series, time = np.indices(rows.shape)
    return read_frame(pl.DataFrame({"unique_id": series.ravel(), "ds": time.ravel(), "y": rows.ravel()}))


def _training_part(options: Forecast, everything: Panel) -> Panel:
    return everything if options.holdout == "none" else _split(options, everything).train


def _split(options: Forecast, everything: Panel) -> Split:
    if options.holdout == "id":
        return by_id(everything)
    return Split(everything.cut(held_out(options, everything))[0], by_time(everything, options.horizon).valid)


def _split_at(whole: Panel, lengths: np.ndarray) -> tuple[Panel, Panel]:
    """Each series cut after `lengths` steps."""
    every = np.arange(len(whole))
    rest = whole.lengths - lengths
    past = whole._part(every, whole.starts, lengths, whole.known + rest)
    return past, whole._part(every, whole.starts + lengths, rest, whole.known, whole.future_starts + lengths)


def _joined(before: Any, after: Any, roles: Roles) -> Any:
    """The rows of both tables, with the columns that have a role."""
    tables: Iterable[Any] = (before, after)
    frames = []
    for frame in tables:
        polars = native(pl.DataFrame({n: frame[n].to_list() for n in frame.columns if n in roles.columns}))
        frames.append(polars)
    return pl.concat(frames, how="diagonal_relaxed")
