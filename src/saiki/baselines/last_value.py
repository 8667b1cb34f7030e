"""The last observed value, for every step (M4's "naive")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saiki.baselines._rows import each, last_observed

if TYPE_CHECKING:
    from saiki.data.panel import Panel


def forecast(history: np.ndarray, horizon: int, season: int = 1) -> np.ndarray:
    """`[horizon]` from `history [time]`."""
    return rows(np.asarray(history, float)[None], horizon, season)[0]


def forecast_all(panel: Panel, horizon: int, season: int | None = None) -> np.ndarray:
    """`[series, horizon]`."""
    return each(panel, horizon, season, rows)


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`; `season` plays no part."""
    return np.repeat(last_observed(values)[:, None], horizon, axis=1)
