"""The last observed value, for every step (M4's "naive")."""

from __future__ import annotations

import numpy as np

from saiki.baselines._rows import forecasts, last_observed


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`; `season` plays no part."""
    return np.repeat(last_observed(values)[:, None], horizon, axis=1)


forecast, forecast_all = forecasts(rows)
