"""Training that goes on from a model, on new data with the same columns: what must be alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.data.audit import marks
from saiki.data.frequency import Frequency
from saiki.data.panel import Panel
from saiki.errors import DataError, ModelError, OptionError
from saiki.tasks._calibration import Calibration
from saiki.tasks.forecast import Forecast
from saiki.training.options import Training

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask

#: options that the weights depend on: they stay as they were
FIXED = (
    "horizon", "level", "past", "future", "static", "freq", "season", "history", "patch", "copies", "lags", "forks", "scale", "log",
    "ensemble", "calendar", "loss", "distribution", "holidays", "theta",
)  # fmt: skip
#: highest learning rate where none is asked for, as a share of the usual one: what is known is not to be forgotten
SHARE = 0.25


def go_on(options: Forecast, data: Any, columns: dict[str, Any], base: Any) -> ForecastTask:
    """The task of the model `base` on new data, its numbers kept; one clear line for what does not fit."""
    from saiki.tasks._forecasting import ForecastTask

    old = base.task
    if not isinstance(old, ForecastTask):
        raise ModelError(f"--from: a model of the task {base.name} cannot go on as forecast; expected one of forecast")
    _check(options, columns, old)
    free = {name: getattr(options, name) for name in options.model_fields_set - set(FIXED)}
    task = replace(old, options=old.options.model_copy(update=free), began=old.until, calibration=Calibration())
    panel = _read(task, data)
    if task.plan.log and (panel.y < 0).any():
        raise DataError(
            "--from: the model takes the logarithm of positive values, but the new data have values below 0; train anew"
        )
    return replace(task, until=panel.times.max(), known=old.known | marks(panel.ids), training_data=panel)


def smaller(defaults: dict[str, Any]) -> dict[str, Any]:
    """The training options that a task prefers, with smaller steps."""
    usual = defaults.get("learning_rate", Training.model_fields["learning_rate"].default)
    return defaults | {"learning_rate": SHARE * usual}


def _read(task: ForecastTask, data: Any) -> Panel:
    panel = task.read(data)
    known = None if task.until is None else np.asarray(task.until).dtype
    if known is not None and panel.times.dtype.kind != known.kind:
        raise DataError(
            f"--from: the times of the new data are {panel.times.dtype}, those of the model {known}; train anew"
        )
    return panel


def _check(options: Forecast, columns: dict[str, Any], old: ForecastTask) -> None:
    """Options and columns that were given must be those of the model."""
    known = (
        {"season": old.season, "freq": old.frequency.name}
        | {n: getattr(old.plan, n) for n in ("patch", "copies", "lags", "log")}
        | {"ensemble": old.plan.members}
    )
    for name in FIXED:
        was = getattr(old.options, name)
        was = known.get(name) if was is None else was
        given = getattr(options, name)
        given = Frequency.parse(given).name if name == "freq" and given else given
        if name in options.model_fields_set and given != was:
            raise OptionError(
                f"--from: {name} is {_said(given)}, that of the model {_said(was)}; expected the same network"
            )
    roles = old.roles
    for name, was in (("target", roles.target), ("id", roles.id), ("time", roles.time)):
        given = columns.get(name)
        given = (given,) if name == "target" and isinstance(given, str) else given
        if given is not None and (tuple(given) if name == "target" else given) != was:
            raise OptionError(
                f"--from: {name} is {_said(given)}, that of the model {_said(was)}; expected the same columns"
            )


def _said(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple | list) else str(value)
