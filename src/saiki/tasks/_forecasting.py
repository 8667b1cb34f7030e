"""The task forecast at work: fitted to a table, it builds its network, judges it and answers."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from saiki.data.audit import audit_panel, marks
from saiki.data.clock import shown
from saiki.data.frames import forecast_frame
from saiki.data.frequency import Frequency
from saiki.data.panel import Panel, panel
from saiki.data.roles import Roles
from saiki.data.split import Split, by_id, by_time
from saiki.data.windows import WindowBatch, Windows
from saiki.errors import DataError, OptionError, SaikiWarning
from saiki.modalities import table
from saiki.network.ensemble import Ensemble
from saiki.network.forecaster import Plan
from saiki.tasks import _anomalies, _backtest, _forecast_columns, _forecast_scores, _linear_share, _theta_share
from saiki.tasks._calibration import Calibration, mirrored
from saiki.tasks._clinical import Clinical
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._forecast_tables import as_table, check_future, check_step, library, parse_time, turned
from saiki.tasks._insight import Insight, insight
from saiki.tasks._plan import MANY_SERIES, default_width, make_plan, training_defaults, units
from saiki.tasks._sampling import MOST_VALIDATED, ForecastProblem, held_out, make_network, validated_places
from saiki.tasks._task import Task
from saiki.tasks._theta_share import ThetaShare
from saiki.tasks._warm_start import go_on, smaller
from saiki.tasks.forecast import Forecast
from saiki.training.members import MOST

#: what `saiki inspect` says of the option scale
UNITS = {
    "window": "in units of their window",
    "level": "less the mean of their window",
    "last": "less the last value of their window",
    "none": "as they are",
}


@dataclass(frozen=True)
class ForecastTask(Task):
    """Everything but the weights that a forecast needs; plain data, saved with the model."""

    takes = ("target", "id", "time")
    guarded = True
    judges_all = False
    answer = "forecast"
    closed_form = True

    options: Forecast
    roles: Roles
    frequency: Frequency
    season: int
    codec: table.TableCodec
    plan: Plan
    until: Any = None  # the last time of the training data
    known: frozenset[str] = frozenset()  # marks of the series that training saw
    began: Any = field(default=None, compare=False)  # the same of the model that training went on from
    calibration: Calibration = field(default_factory=Calibration, compare=False, repr=False)
    theta: ThetaShare = field(default_factory=ThetaShare, compare=False, repr=False)
    training_data: Panel | None = field(default=None, compare=False, repr=False)

    @classmethod
    def fit(cls, options: Forecast, data: Any, columns: dict[str, Any]) -> ForecastTask:
        """Understand the data: roles of the columns, frequency, season, statistics of the covariates, sizes."""
        columns = {k: columns.get(k) for k in cls.takes} | {
            k: getattr(options, k) for k in ("past", "future", "static", "freq", "season")
        }
        given = turned(data, columns.get("id"), columns.get("target"), columns.get("time"))
        everything = panel(given.frame, **{**columns, "id": given.id or columns.get("id")})
        if given.note:
            everything = replace(everything, notes=[given.note, *everything.notes])
        if options.freq is not None:
            check_step(everything, everything.frequency)
        training = _training_part(options, everything)
        codec = table.fit(training, _table_options(options))
        plan = make_plan(options, training, codec)
        until = everything.times.max()
        return cls(
            options,
            everything.roles,
            everything.frequency,
            everything.season,
            codec,
            plan,
            until,
            marks(everything.ids),
            training_data=everything,
        )

    @classmethod
    def fit_from(cls, options: Forecast, data: Any, columns: dict[str, Any], base: Any) -> ForecastTask:
        """The task of a model on new data, with the numbers that it knows data by."""
        return go_on(options, data, columns, base)

    def on(self, panel: Panel) -> ForecastTask:
        """The same task, its sizes kept, fitted to other data; what held-out windows say is to be settled again."""
        codec = table.fit(panel, _table_options(self.options))
        widths, categories = codec.widths, codec.categories
        plan = replace(
            self.plan,
            **{k: widths[k] for k in ("past", "future", "static", "calendar")},
            categories=tuple((role, codes) for role, counts in categories.items() for codes in counts),
            **units(self.options, panel),
        )
        until = panel.times.max()
        now = {"codec": codec, "plan": plan, "until": until, "known": marks(panel.ids), "training_data": panel}
        return replace(self, **now, calibration=Calibration(), theta=ThetaShare())

    @classmethod
    def validated_apart(cls, options: Forecast) -> Forecast:
        return options.model_copy(update={"holdout": "none"})

    @property
    def holds_out(self) -> bool:
        """Whether these data are enough to hold something out of them."""
        own, options = self.training_data, self.options
        assert own is not None
        if options.holdout == "id":
            return len(own) >= 2
        return options.holdout == "time" and own.lengths.max() >= held_out(options, own) + options.horizon + 2

    def asked(self, network: Any, training: Any) -> None:
        if self.options.lags and network.closed_form:
            raise OptionError(
                "lags has no meaning for echo_state, whose readout is a regression itself; leave --lags out"
            )
        super().asked(network, training)

    def describe(self) -> list[tuple[str, str]]:
        assert self.training_data is not None
        leaks = audit_panel(self.training_data, self.plan.horizon)
        told = self.training_data.describe() + [("leak", sentence) for sentence in leaks]
        return told + ([("goes on", self._known_before())] if self.options.from_ else [])

    def _known_before(self) -> str:
        """Until when the model that training goes on from has seen data, and whether that spoils the comparison with it."""
        assert self.training_data is not None
        if self.began is None:
            return f"from {self.options.from_}"
        lengths = np.maximum(self.training_data.lengths - held_out(self.options, self.training_data), 1)
        first = self.training_data.times[self.training_data.starts + lengths - 1].min()
        spoiled = "; it has seen some of what is held out here, which flatters it" if self.began > first else ""
        return f"from {self.options.from_}, trained on steps up to {shown(self.began)}{spoiled}"

    def fingerprint(self, data: Any = None) -> str:
        """Whatever the file format or the order of the rows."""
        panel = self.training_data if data is None else self.read(data)
        assert panel is not None
        digest = hashlib.sha256()
        for part in (panel.ids.astype(str), panel.lengths, panel.times, panel.y):
            digest.update(part.tobytes())
        for role in (panel.past, panel.future, panel.static):
            digest.update(role.numbers.tobytes())
            digest.update(role.codes.tobytes())
        return digest.hexdigest()

    def seen(self, evaluation: Evaluation) -> str:
        """How many series of training are judged on steps that it may have seen."""
        if evaluation.judged is None or self.until is None or not (self.roles.id and self.roles.time):
            return ""
        past = evaluation.judged[0]
        inside = past.future_times(1)[:, 0] <= self.until
        if not (known := len(marks(past.ids[inside]) & self.known)):
            return ""
        return (
            f"Training went up to {shown(self.until)}, and {known} of {len(past)} series that it knows are judged on steps before "
            "that: if it has seen them, the scores flatter."
        )

    @property
    def headline(self) -> str:
        return f"{self.plan.horizon} steps ahead"

    def facts(self) -> list[tuple[str, str]]:
        """Window, values, and whether it streams."""
        plan = self.plan
        values = ("logarithm, " if plan.log else "") + UNITS[plan.scale]
        streams = f"looks back {plan.history} steps; a step computes the window anew"
        theta = [("theta", f"has {self.theta.share:.0%} of the point")] if self.theta.share else []
        return [
            ("window", f"{plan.history} steps in {plan.tokens} patches of {plan.patch}; season {plan.season}"),
            ("values", values),
            *theta,
            ("stream", "no: some columns must be known ahead (--future)" if self.roles.future else streams),
        ]

    def next_commands(self, folder: Path, data: Path) -> list[str]:
        predict, evaluate, inspect = super().next_commands(folder, data)
        if ahead := self.roles.future:
            told = f"{', '.join(ahead)} of the {self.plan.horizon} steps ahead"
            predict = f"{self.prediction(folder, Path('FILE'))}    (the data, with rows that tell {told})"
        return [predict, f"{evaluate}    (history and truth in one file)", inspect]

    def network(self, options: Any, width: int, seed: int) -> nn.Module:
        """A fresh network, or the mean of several, drawn from the seeds that follow; of a number that is open yet, the most."""
        count = self.options.ensemble or self.plan.members or (1 if options.closed_form else MOST)
        seeds = [(seed + number) % 2**63 for number in range(count)]
        networks = [make_network(self.plan, options, width, each) for each in seeds]
        return networks[0] if len(networks) == 1 else Ensemble(networks)

    def trained(self, network: Any) -> tuple[ForecastTask, nn.Module]:
        """How many networks there are stands in the plan; one alone needs no mean."""
        several = network.members if isinstance(network, Ensemble) else [network]
        task = replace(self, plan=replace(self.plan, members=len(several)))
        return task, network if len(several) > 1 else several[0]

    @property
    def default_width(self) -> int:
        """Units per layer where none are asked for."""
        assert self.training_data is not None
        return default_width(len(self.training_data))

    def training_defaults(self) -> dict[str, Any]:
        """Smaller steps for few series, and still smaller ones where training goes on."""
        assert self.training_data is not None
        found = training_defaults(len(self.training_data))
        return smaller(found) if self.options.from_ else found

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
        if valid is not None:
            _forecast_columns.check_logarithms(self, judged.y)
        if not len(series) and (valid is not None or options.validate_steps is not None):
            wanted = self.plan.horizon + 2 if valid is not None else held_out(options, judged) + 2
            raise DataError(
                f"nothing to validate on: the longest series has {int(judged.lengths.max(initial=0))} steps; "
                f"expected at least {wanted}"
            )
        return (judged, series, ends) if len(series) else None

    def read(self, data: Any) -> Panel:
        """A table read as the training data was; DataError for one whose steps are others."""
        found = panel(
            as_table(data, self.roles),
            roles=self.roles,
            freq=self.frequency.name,
            season=self.season,
        )
        check_step(found, self.frequency)
        zone = self.codec.zone
        if zone not in (None, "UTC") and found.clock.kind == "datetime" and not found.clock.zone:
            told = f"times of training had the zone {zone}, these have none: they are taken as UTC; write them with their zone"
            warnings.warn(told, SaikiWarning, stacklevel=3)
        return found

    def windows(self, data: Panel) -> Windows:
        """Windows of a panel as the model looks at them."""
        memory = self.theta.memory if self.theta.share else 0
        return Windows(data, history=self.plan.history, horizon=self.plan.horizon, memory=memory)

    def encode(self, windows: Windows, series: np.ndarray, ends: np.ndarray) -> dict[str, Tensor]:
        """Windows as tensors."""
        return self.tensors(windows.cut(series, ends))

    def tensors(self, cut: WindowBatch) -> dict[str, Tensor]:
        """Windows that are cut, as tensors. y and target stay in double precision and in data units."""
        arrays = self.codec.encode(cut)
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def levels_for(self, level: Sequence[float] | float | None) -> tuple[float, ...]:
        """The levels asked for, in percent; those of the training without any."""
        if level is None:
            return self.options.level
        try:
            return Forecast(horizon=1, level=level).level  # type: ignore[arg-type]
        except ValidationError:
            raise OptionError(
                f"level is {level!r}; expected different percentages between 0 and 100, such as 80 95"
            ) from None

    def settle(self, network: Any, valid: Any = None, searched: Any = None) -> None:
        """The share of the linear forecast, and the errors on held-out windows, of the network that had not seen them."""
        if searched is not None:
            _linear_share.copy(searched, network)
            self._in_widths_of(network, searched)
            return
        if (found := self._validation(valid)) is None:
            return
        panel, series, ends = found
        some = np.linspace(0, len(series) - 1, min(len(series), MOST_VALIDATED)).astype(np.int64)
        if not self.options.from_:
            _linear_share.settle(self, network, panel, series[some], ends[some])
            if _theta_share.wanted(self, len(self.training_data or panel), MANY_SERIES):
                _theta_share.settle(self, network, panel, series[some], ends[some])
        errors = _forecast_columns.held_out_errors(self, network, panel, series[some], ends[some])
        few = len(np.unique(series)) < MANY_SERIES
        self.calibration.errors = mirrored(errors) if few and errors is not None else errors
        self.calibration.least = int(np.minimum(ends[some], self.plan.history).min())

    def _in_widths_of(self, network: nn.Module, searched: nn.Module) -> None:
        """The errors of held-out windows, which count widths of the network before a refit, in those of the one after it."""
        errors, found = self.calibration.errors, self._validation(None)
        if errors is None or found is None:
            return
        panel, series, ends = found
        some = np.linspace(0, len(series) - 1, min(len(series), MOST_VALIDATED)).astype(np.int64)
        old, new = (
            _forecast_columns.usual_widths(self, one, panel, series[some], ends[some]) for one in (searched, network)
        )
        low, high = (before / after for before, after in zip(old, new, strict=True))
        self.calibration.errors = (errors * np.where(errors < 0, low, high)).astype(np.float32).astype(float)

    def forecast_batch(
        self,
        network: nn.Module,
        cut: WindowBatch,
        levels: Sequence[float] | None = None,
        samples: int = 0,
        names: Sequence[Any] = (),
    ) -> dict[str, np.ndarray]:
        """Columns of the forecasts of these windows: `[windows, horizon]` each."""
        levels = self.options.level if levels is None else levels
        return _forecast_columns.of_batch(self, network, cut, levels, samples, names)

    def forecasts(
        self, network: Any, data: Panel, levels: Sequence[float] | None = None, samples: int = 0
    ) -> dict[str, np.ndarray]:
        """Forecasts from the end of each series, by column: `[series, horizon]`."""
        return self.forecasts_from(network, data, np.arange(len(data)), data.lengths, levels, samples)

    def forecasts_from(
        self,
        network: Any,
        data: Panel,
        series: np.ndarray,
        ends: np.ndarray,
        levels: Sequence[float] | None = None,
        samples: int = 0,
    ) -> dict[str, np.ndarray]:
        """Forecasts of these series from what comes before these steps of each, by column: `[places, horizon]`."""
        windows = self.windows(data)
        together = _forecast_columns.TOGETHER
        parts = [slice(start, start + together) for start in range(0, len(series), together)]
        cuts = ((windows.cut(series[part], ends[part]), data.ids[series[part]].tolist()) for part in parts)
        found = [self.forecast_batch(network, cut, levels, samples, names) for cut, names in cuts]
        return {name: np.concatenate([f[name] for f in found]) for name in found[0]} if found else {}

    def attention(self, network: Any, data: Any) -> np.ndarray:
        """Weights of the patches of each series' last window, oldest first: `[series, patches]`, rows sum to 1."""
        found = self.read(data)
        windows = Windows(found, history=self.plan.history, horizon=self.plan.horizon)
        with torch.no_grad():
            weights = network.attention(self.tensors(windows.cut(np.arange(len(found)), found.lengths)))
        return (weights if weights.dim() == 2 else weights[:, -1]).numpy()

    def predict(
        self, network: Any, data: Any, level: Any = None, samples: int = 0, anomalies: bool | None = None
    ) -> Any:
        """A frame of the library that the data came in: the horizon after the end of every series.

        With `anomalies`, the rows of the data instead, each beside its forecast one step ahead, a score and a flag.
        """
        source = as_table(data, self.roles)
        history = self.read(source)
        if anomalies:
            if samples:
                raise OptionError(
                    "got anomalies and samples; expected one of them: paths go on from the end of the data"
                )
            by = _anomalies.level_of(self.levels_for(level), level)
            return _anomalies.frame(history, _anomalies.mark(self, network, history, by), library(data, source))
        check_future(history, self.plan.horizon)
        columns = self.forecasts(network, history, self.levels_for(level), _forecast_columns.count(samples))
        for note in _forecast_columns.notes(self, history, columns):
            warnings.warn(note, SaikiWarning, stacklevel=3)
        return forecast_frame(history, history.future_times(self.plan.horizon), columns, like=library(data, source))

    def back_test(
        self, network: Any, data: Any, rolling: dict[str, Any], retrain: _backtest.Retrain, frame: bool = False
    ) -> Any:
        """Forecasts from several cutoffs: their scores, or with `frame` the forecasts themselves."""
        source = as_table(data, self.roles)
        panel = self.read(source)
        asked = _backtest.Rolling.of(rolling["windows"], rolling["step"], rolling["refit"], self.plan.horizon)
        clinical = Clinical.of(rolling.get("grid"), rolling.get("event"))
        chosen = {"chosen": rolling["baselines"], "level": rolling["level"], "retrain": retrain}
        chosen["adaptive"] = bool(rolling.get("adaptive"))
        found = _backtest.roll(self, network, panel, asked, **chosen)
        if frame:
            return _backtest.frame(found, library(data, source))
        answer = _backtest.evaluation(found, asked, self.until)
        origins = found.origins()
        clinical.add(answer, found.whole(), origins, self.frequency)
        _forecast_scores.tell_known(self, answer, panel.ids, clinical)
        return answer if asked.refit else replace(answer, judged=(panel, origins))

    def evaluate(
        self,
        network: Any,
        data: Any,
        history: Any = None,
        baselines: Sequence[str] | None = None,
        level: Any = None,
        grid: str | None = None,
        event: Sequence[str] | None = None,
        adaptive: bool | None = None,
    ) -> Evaluation:
        """Scores beside the baselines': of the last horizon in `data`, or of what follows `history`."""
        if adaptive:
            raise OptionError("adaptive intervals learn from cutoff to cutoff; give several, such as --windows 10")
        clinical, levels = Clinical.of(grid, event), self.levels_for(level)
        return _forecast_scores.evaluated(self, network, data, history, baselines, levels, clinical)

    def validation(self, network: Any, valid: Any = None) -> Evaluation | None:
        """The score table of the validation windows."""
        found = self._validation(valid)
        if found is None:
            return None
        judged, series, _ = found
        past, truth = judged.select(np.unique(series)).cut(self.plan.horizon)
        about = f"validation: the last {self.plan.horizon} steps of each series"
        answer = _forecast_scores.judge(self, network, past, truth, about)
        if self.options.level and self.calibration.errors is not None:
            answer.notes.append(
                "Intervals were calibrated on windows of this very validation part: their coverage and CRPS flatter here; "
                "those of saiki evaluate on later data do not."
            )
        return answer

    def insight(self, network: Any, evaluation: Evaluation) -> Insight | None:
        """What the forecasts of an evaluation were made from, and whether intervals hold what they say."""
        return None if evaluation.judged is None else insight(self, network, *evaluation.judged)

    def stream(self, network: Any) -> Any:
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
            "until": None if self.until is None else str(self.until),
            "known": sorted(self.known),
            "theta": asdict(self.theta),
            "least": self.calibration.least,
        }

    def files(self) -> dict[str, bytes]:
        return self.calibration.files()

    @classmethod
    def restore(cls, options: Any, stored: dict[str, Any], files: dict[str, bytes]) -> ForecastTask:
        """From plain data, the options and the errors on held-out windows."""
        return replace(cls.from_json(options, stored), calibration=Calibration.read(files, int(stored.get("least", 0))))

    @classmethod
    def from_json(cls, options: Forecast, stored: dict[str, Any]) -> ForecastTask:
        """From plain data and the options."""
        scale = stored["plan"]["scale"]  # true and false in the first models
        plan = (
            {"members": options.ensemble or 1}
            | stored["plan"]
            | {
                "scale": scale if isinstance(scale, str) else ("window" if scale else "none"),
                "levels": tuple(stored["plan"]["levels"]),
                "categories": tuple((role, codes) for role, codes in stored["plan"]["categories"]),
            }
        )
        return cls(
            options,
            Roles.from_json(stored["roles"]),
            Frequency.parse(stored["frequency"]),
            stored["season"],
            table.TableCodec.from_json(stored["codec"]),
            Plan(**plan),
            parse_time(stored.get("until")),
            frozenset(stored.get("known", ())),
            theta=ThetaShare(**stored.get("theta", {})),
        )


def _table_options(options: Forecast) -> table.TableOptions:
    return table.TableOptions(calendar=options.calendar, holidays=options.holidays)


def _training_part(options: Forecast, everything: Panel) -> Panel:
    return everything if options.holdout == "none" else _split(options, everything).train


def _split(options: Forecast, everything: Panel) -> Split:
    if options.holdout == "id":
        return by_id(everything)
    return Split(everything.cut(held_out(options, everything))[0], by_time(everything, options.horizon).valid)
