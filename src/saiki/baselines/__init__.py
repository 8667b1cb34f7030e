"""The naive answers that a model must beat: one file each.

A baseline says in TASKS which tasks it is for; without the word, for forecast. One that forecasts has
`forecast(history [time], horizon, season) -> [horizon]` for one series and `forecast_all(panel, horizon, season=None)
-> [series, horizon]` for all. Missing values (NaN) are left out; a forecast is finite unless its history has no value
at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from saiki import catalog
from saiki.errors import OptionError, near_misses

if TYPE_CHECKING:
    from saiki.data.panel import Panel


def names(task: str) -> tuple[str, ...]:
    """The baselines of a task: those whose TASKS name it; a baseline without the word forecasts."""
    every = catalog.names("baselines")
    return tuple(n for n in every if task in getattr(catalog.load("baselines", n), "TASKS", ("forecast",)))


def usual(panel: Panel) -> tuple[str, ...]:
    """The baselines of a forecast that nobody chose: all but those too slow for so many series (their `MANY`)."""
    modules = {name: catalog.load("baselines", name) for name in names("forecast")}
    return tuple(name for name, module in modules.items() if len(panel) <= getattr(module, "MANY", len(panel)))


def all_forecasts(
    panel: Panel, horizon: int, season: int | None = None, chosen: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Every chosen baseline's forecasts by name, the usual ones by default: `[series, horizon]` each."""
    found, known = {}, names("forecast")
    chosen = [chosen] if isinstance(chosen, str) else chosen
    for name in usual(panel) if chosen is None else dict.fromkeys(chosen):
        if name not in known:
            raise OptionError(
                f"no baseline of forecasts is called {name!r}{near_misses(name, known)} (there are: {', '.join(known)})"
            )
        module = catalog.load("baselines", name)
        found[name] = module.forecast_all(panel, horizon, season)
    return found
