"""The naive answers that a model must beat: one file each.

A baseline says in TASKS which tasks it is for; without the word, for forecast. One that forecasts has
`forecast(history [time], horizon, season) -> [horizon]` for one series and `forecast_all(panel, horizon, season=None)
-> [series, horizon]` for all. Missing values (NaN) are left out; a forecast is finite unless its history has no value
at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saiki import catalog

if TYPE_CHECKING:
    from saiki.data.panel import Panel


def names(task: str) -> tuple[str, ...]:
    """The baselines of a task: those whose TASKS name it; a baseline without the word forecasts."""
    every = catalog.names("baselines")
    return tuple(n for n in every if task in getattr(catalog.load("baselines", n), "TASKS", ("forecast",)))


def all_forecasts(panel: Panel, horizon: int, season: int | None = None) -> dict[str, np.ndarray]:
    """Every baseline's forecasts by name: `[series, horizon]` each."""
    return {name: catalog.load("baselines", name).forecast_all(panel, horizon, season) for name in names("forecast")}
