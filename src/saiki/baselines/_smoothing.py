"""Exponential smoothing of many series at once, with every candidate of the smoothing parameters side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LATEST = 4000  # steps of a series that are looked at
TOGETHER = 4_000_000  # numbers of state at most: series times candidates times steps of the season
TIED = 1e-9  # errors that differ by less, relatively, are equal: the first candidate is taken


@dataclass(frozen=True)
class Candidates:
    """Smoothing parameters `[candidates]`: of level, trend and season, and by how much a trend fades per step."""

    level: np.ndarray
    trend: np.ndarray
    season: np.ndarray
    fade: np.ndarray

    @classmethod
    def grid(cls, level, trend=(0.0,), season=(0.0,), fade=(0.0,)) -> Candidates:
        """Every combination; trend and season are shares of `level` and of `1 - level`."""
        a, b, c, d = (x.ravel() for x in np.meshgrid(level, trend, season, fade, indexing="ij"))
        return cls(a, a * b, (1 - a) * c, d)


@dataclass(frozen=True)
class Fitted:
    """The best candidate of each row: sum of squared errors one step ahead, how many, and the state at the end."""

    error: np.ndarray  # [rows]
    count: np.ndarray  # [rows]
    level: np.ndarray  # [rows]
    slope: np.ndarray  # [rows]
    fade: np.ndarray  # [rows]
    season: np.ndarray  # [rows, season], the first for the first step ahead

    def ahead(self, horizon: int) -> np.ndarray:
        """The forecast `[rows, horizon]`: level + slope (fade + fade² + …) + season."""
        faded = np.cumsum(self.fade[:, None] ** np.arange(1, horizon + 1), axis=1)
        season = self.season[:, np.arange(horizon) % self.season.shape[1]]
        return self.level[:, None] + self.slope[:, None] * faded + season


def smooth(values: np.ndarray, candidates: Candidates, first: np.ndarray, season: np.ndarray) -> Fitted:
    """Run every candidate over every row, and keep the one with the least squared error one step ahead.

        f = l + d b + s        e = y - f        l' = l + d b + α e        b' = d b + β e        s' = s + γ e

    values  [rows, time], NaN = missing: the state then goes on without an error
    first   [rows] level to begin with, before the first observed value
    season  [rows, season] to begin with, aligned at the end: the first is that of the first step ahead
    """
    rows = len(values)
    most = max(1, TOGETHER // (len(candidates.level) * season.shape[1]))
    parts = [slice(k, k + most) for k in range(0, rows, most)] or [slice(0, 0)]
    found = [_run(values[p], candidates, first[p], season[p]) for p in parts]
    return Fitted(*(np.concatenate([getattr(f, name) for f in found]) for name in Fitted.__dataclass_fields__))


def _run(values: np.ndarray, given: Candidates, first: np.ndarray, season: np.ndarray) -> Fitted:
    rows, time = values.shape
    period, many = season.shape[1], len(given.level)
    level = np.repeat(first[:, None], many, axis=1)
    slope, error = np.zeros((rows, many)), np.zeros((rows, many))
    seasons = np.repeat(season.T[:, :, None], many, axis=2)  # [season, rows, candidates]
    known, begun = ~np.isnan(values), np.zeros((rows, 1), bool)
    seasonal, trended = bool((given.season > 0).any()), bool((given.trend > 0).any())
    filled = np.where(known, values, 0.0)
    for t in range(time):
        place = (t - time) % period
        moved = level + given.fade * slope if trended else level
        wrong = np.where(known[:, t, None], filled[:, t, None] - moved - seasons[place], 0.0)
        begun = begun | known[:, t, None]
        level = np.where(begun, moved + given.level * wrong, level)
        if trended:
            slope = np.where(begun, given.fade * slope + given.trend * wrong, slope)
        if seasonal:
            seasons[place] += given.season * wrong
        error += wrong * wrong
    least = error.min(1, keepdims=True)
    best = np.argmax(error <= least * (1 + TIED) + np.finfo(float).tiny, axis=1)
    at = np.arange(rows)
    return Fitted(
        error[at, best], known.sum(1), level[at, best], slope[at, best], given.fade[best], seasons[:, at, best].T
    )
