"""Rolling origin: forecasts from several cutoffs of the past, beside the baselines', scored by step, cutoff and series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from saiki import baselines, metrics
from saiki.data.clock import shown, unclock
from saiki.data.frames import forecast_frame, kept_apart, native
from saiki.data.panel import Panel
from saiki.errors import DataError, OptionError
from saiki.metrics import mase
from saiki.metrics._events import Origins
from saiki.tasks import _adaptive, _forecast_columns
from saiki.tasks._evaluation import Evaluation, Table

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask

#: rows of the table by series at most: the worst ones
WORST = 30

#: a fresh model from a panel: its task and its network
Retrain = Callable[[Panel], tuple[Any, Any]]


@dataclass(frozen=True)
class Rolling:
    """Which cutoffs: `windows` of them, `step` apart, the last one a horizon before the end; and when to train anew."""

    windows: int
    step: int
    refit: int | None  # at every so many cutoffs; None for never

    @classmethod
    def of(cls, windows: int | None, step: int | None, refit: Any, horizon: int) -> Rolling:
        """From what a user gives; OptionError for what has no meaning."""
        for name, value in (("windows", windows), ("step", step)):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise OptionError(f"{name} is {value!r}; expected 1 or more")
        known = {"never": None, "every": 1, None: None, False: None, True: 1}
        try:
            every = known[refit] if refit in known else int(refit)
        except (ValueError, TypeError):
            every = 0
        if every is not None and every < 1:
            raise OptionError(f"refit is {refit!r}; expected never, every, or a number n: at every n-th cutoff")
        return cls(windows or 1, step or horizon, every)


@dataclass
class Found:
    """What was forecast, one row per series and cutoff, the oldest cutoff first."""

    panel: Panel
    season: int
    levels: tuple[float, ...]
    window: list[np.ndarray] = field(default_factory=list)  # number of the cutoff
    series: list[np.ndarray] = field(default_factory=list)
    ends: list[np.ndarray] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    forecasts: list[dict[str, np.ndarray]] = field(default_factory=list)
    ladders: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)  # ends at many levels, where asked for
    last: Panel | None = None  # the histories at the last cutoff

    def whole(self) -> dict[str, np.ndarray]:
        """Every forecast by name: `[rows, horizon]`."""
        return {name: np.concatenate([f[name] for f in self.forecasts]) for name in self.forecasts[0]}

    def origins(self) -> Origins:
        """Where the forecasts begin, the last value seen and what came, one row per series and cutoff."""
        series, ends = np.concatenate(self.series), np.concatenate(self.ends)
        last = self.panel.y[self.panel.starts[series] + ends - 1]
        return Origins(series, ends, last, np.concatenate(self.truth))

    def cutoffs(self) -> np.ndarray:
        """The time of the last step that was seen: `[rows]`."""
        series, ends = np.concatenate(self.series), np.concatenate(self.ends)
        return self.panel.times[self.panel.starts[series] + ends - 1]


def roll(
    task: ForecastTask,
    network: Any,
    panel: Panel,
    rolling: Rolling,
    *,
    chosen: Sequence[str] | None = None,
    retrain: Retrain | None = None,
    level: Sequence[float] | None = None,
    adaptive: bool = False,
) -> Found:
    """Forecast from every cutoff. The model of a cutoff, where it is trained anew, sees nothing after it."""
    horizon = task.plan.horizon
    levels = task.levels_for(level)
    if adaptive and not levels:
        raise OptionError("adaptive intervals need levels; give some, such as --level 80 95")
    found = Found(panel, task.season, levels)
    for number in range(rolling.windows):
        ends = panel.lengths - horizon - (rolling.windows - 1 - number) * rolling.step
        series = np.flatnonzero(ends >= 2)
        if not len(series):
            continue
        found.window.append(np.full(len(series), number))
        found.series.append(series)
        found.ends.append(ends[series])
        found.truth.append(panel.y[panel.starts[series, None] + ends[series, None] + np.arange(horizon)])
    several = 1 if rolling.refit else max(1, _forecast_columns.TOGETHER // max(1, len(panel)))  # cutoffs of one network
    for first in range(0, len(found.series), several):
        some = slice(first, first + several)
        if rolling.refit and first % rolling.refit == 0:
            assert retrain is not None
            task, network = retrain(before(panel, found.series[first], found.ends[first]))
        places = np.concatenate(found.series[some]), np.concatenate(found.ends[some])
        sizes = np.cumsum([len(series) for series in found.series[some]])[:-1]
        own = _apart(task.forecasts_from(network, panel, *places, levels), sizes)
        if adaptive:
            grid = _apart(task.forecasts_from(network, panel, *places, _adaptive.GRID), sizes)
            found.ladders.extend(_adaptive.ladder(one) for one in grid)
        for one, series, ends in zip(own, found.series[some], found.ends[some], strict=True):
            found.last = before(panel, series, ends)
            found.forecasts.append(one | baselines.all_forecasts(found.last, horizon, task.season, chosen))
    if not found.series:
        most = (int(panel.lengths.max()) - horizon - 2) // rolling.step + 1
        raise DataError(
            f"no series is long enough: the longest has {panel.lengths.max()} steps; expected {horizon + 2} or more "
            f"(at most {max(most, 0)} windows of {horizon} steps, {rolling.step} apart)"
        )
    return found


def _apart(columns: dict[str, np.ndarray], places: np.ndarray) -> list[dict[str, np.ndarray]]:
    """The rows of several cutoffs, each cutoff's by themselves; `places` are where the second and later ones begin."""
    parts = {name: np.split(values, places) for name, values in columns.items()}
    return [{name: part[k] for name, part in parts.items()} for k in range(len(places) + 1)]


def before(panel: Panel, series: np.ndarray, ends: np.ndarray) -> Panel:
    """The first `ends` steps of each of these series; what `future` says of later steps stays known."""
    rest = panel.lengths[series] - ends
    return panel._part(series, panel.starts[series], ends, panel.known[series] + rest)


def frame(found: Found, like: Any = None) -> Any:
    """Long: id, time, cutoff, y, then one column per forecast; by series, then by cutoff."""
    panel, series = found.panel, np.concatenate(found.series)
    ends, truth = np.concatenate(found.ends), np.concatenate(found.truth)
    order = np.lexsort((ends, series))
    horizon = truth.shape[1]
    times = panel.times[panel.starts[series, None] + ends[:, None] + np.arange(horizon)]
    columns = {"y": truth[order]} | {name: values[order] for name, values in found.whole().items()}
    for level in found.levels if found.ladders else ():
        ends = zip(("lo", "hi"), _adaptive.intervals(found, level), strict=True)
        columns |= {f"saiki-adaptive-{side}-{level:g}": end[order] for side, end in ends}
    rows = replace(panel, ids=panel.ids[series[order]])
    kept_apart((panel.roles.id, panel.roles.time), ("cutoff",))
    answer: pl.DataFrame = forecast_frame(rows, times[order], columns)
    cutoff = unclock(np.repeat(found.cutoffs()[order], horizon), panel.clock, "cutoff")
    return native(answer.insert_column(2, cutoff), like)


def frame_of(found: Evaluation) -> pl.DataFrame:
    """The forecasts of an evaluation from one cutoff per series, as `frame` gives those of several."""
    panel, truth = found.panel, found.truth
    assert panel is not None
    assert truth is not None
    kept_apart((panel.roles.id, panel.roles.time), ("cutoff",))
    times = panel.future_times(truth.shape[1])
    answer: pl.DataFrame = forecast_frame(panel, times, {"y": truth} | found.forecasts)
    last = np.repeat(panel.times[panel.starts + panel.lengths - 1], truth.shape[1])
    return answer.insert_column(2, unclock(last, panel.clock, "cutoff"))


def evaluation(found: Found, rolling: Rolling, until: Any = None) -> Evaluation:
    """Scores over all rows, and tables by step, by cutoff and by series."""
    whole, truth = found.whole(), np.concatenate(found.truth)
    scale = _scale(found)
    scores = metrics.forecast_scores(whole, truth, found.panel, found.season, found.levels, scale=scale)
    names = list(scores)
    ranked = "mase" if np.isfinite(scores["saiki"]["mase"]) else "mae"
    unit = scale[:, None] if ranked == "mase" else 1.0
    errors = {name: np.abs(truth - whole[name]) / unit for name in names}
    window, series = np.concatenate(found.window), np.concatenate(found.series)
    cutoffs = [shown(np.unique(found.cutoffs()[window == k])[-1]) for k in np.unique(window)]
    steps = [str(k + 1) for k in range(truth.shape[1])]
    ids = [str(found.panel.ids[k]) for k in np.unique(series)]
    details = {
        "by_horizon": _details(errors, "step", steps, lambda e: _mean(e, 0)),
        "by_cutoff": _details(errors, "cutoff", cutoffs, lambda e: _by(_mean(e, 1), window)),
        "by_series": _details(errors, "series", ids, lambda e: _by(_mean(e, 1), series)),
    }
    count = len(cutoffs)
    about = f"{count} cutoff{'s' if count > 1 else ''}, {rolling.step} steps apart, {truth.shape[1]} steps ahead"
    missing = int(np.isnan(truth).sum())
    short, every = len(found.panel) - len(ids), len(found.panel)
    said = [
        (short > 0, f"{short:,} of {every:,} series are too short for any window and are left out."),
        (count < rolling.windows, f"The series are long enough for {count} of {rolling.windows} windows."),
        (bool(np.isnan(scale).any()), f"MASE leaves out {int(np.isnan(scale).sum())} rows: too short or constant."),
        (missing > 0, f"The truth is missing in {missing:,} of {truth.size:,} steps."),
    ]
    notes = [sentence for true, sentence in said if true]
    seen = _seen(found, rolling, until)
    tables = [_table(title, rows, ranked) for title, rows in details.items()]
    if found.ladders:
        table, details["adaptive"] = _adaptive.compare(found)
        tables.insert(0, table)
        notes += [note] if (note := _adaptive.unmoved(found)) else []
    return Evaluation(
        about,
        scores,
        [*([seen] if seen else []), *notes],
        found.forecasts[-1],
        found.truth[-1],
        found.last,
        tables=tables,
        details={"metric": ranked, **details},
        rolled=found,
    )


def _scale(found: Found) -> np.ndarray:
    """MASE's scale of each row: that of its series up to its first cutoff; up to the last one where that is too short."""
    series, ends = np.concatenate(found.series), np.concatenate(found.ends)
    some, first = np.unique(series, return_index=True)
    last = len(series) - 1 - np.unique(series[::-1], return_index=True)[1]
    early, late = (mase.scale(before(found.panel, some, ends[at]), found.season) for at in (first, last))
    per_series = np.full(len(found.panel), np.nan)
    per_series[some] = np.where(np.isfinite(early), early, late)
    return per_series[series]


def _seen(found: Found, rolling: Rolling, until: Any) -> str:
    """A warning where the model has been trained on what it is judged by."""
    inside = 0 if until is None else int((found.cutoffs() < until).sum())
    if not inside:
        return ""
    if rolling.refit:
        return (
            "Weights, shares and intervals know nothing after their cutoff; season, sizes and the number of steps are those that "
            f"training found in steps up to {shown(until)}."
        )
    return (
        f"Training has seen steps up to {shown(until)}, and {inside} of {len(found.cutoffs())} windows begin before: their scores "
        "flatter; --refit every trains anew at each cutoff."
    )


def _details(
    errors: dict[str, np.ndarray], word: str, labels: list[str], by: Callable[[np.ndarray], np.ndarray]
) -> list[dict[str, Any]]:
    means = {name: by(error) for name, error in errors.items()}
    return [{word: label, **{n: float(m[k]) for n, m in means.items()}} for k, label in enumerate(labels)]


def _table(title: str, rows: list[dict[str, Any]], metric: str) -> Table:
    word = next(iter(rows[0]))
    note = f"{metrics.label(metric)}, lower is better."
    if word == "series" and len(rows) > WORST:
        note += f" The {WORST} series of {len(rows)} with the largest errors."
        rows = sorted(rows, key=lambda r: -np.nan_to_num(r["saiki"], nan=-1.0))[:WORST]
    header = list(rows[0])
    body = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    return Table(f"Error {title.replace('_', ' ')}", header, body, note)


def _mean(errors: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is known, NaN where nothing is."""
    known = np.isfinite(errors)
    count = known.sum(axis)
    return np.where(known, errors, 0.0).sum(axis) / np.where(count > 0, count, np.nan)


def _by(errors: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The mean of each group's known errors, groups in rising order."""
    some, place = np.unique(group, return_inverse=True)
    known = np.isfinite(errors)
    count = np.bincount(place[known], minlength=len(some))
    total = np.bincount(place[known], errors[known], minlength=len(some))
    return total / np.where(count > 0, count, np.nan)
