"""The naive answers that a model must beat: one file each.

Each has `forecast(history [time], horizon, season) -> [horizon]` for one series and
`forecast_all(panel, horizon, season=None) -> [series, horizon]` for all. Missing values (NaN) are left
out; a forecast is finite unless its history has no value at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saiki import catalog

if TYPE_CHECKING:
    from saiki.data.panel import Panel


def all_forecasts(panel: Panel, horizon: int, season: int | None = None) -> dict[str, np.ndarray]:
    """Every baseline's forecasts by name: `[series, horizon]` each."""
    return {
        name: catalog.load("baselines", name).forecast_all(panel, horizon, season)
        for name in catalog.names("baselines")
    }
