"""A series of any length as a few numbers: what the linear baselines of labels look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.sequence import carried

if TYPE_CHECKING:
    from saiki.data.labelled import Labelled

#: evenly spaced places of each series that are looked at
PLACES = 8


def summaries(data: Labelled) -> np.ndarray:
    """`[series, numbers]`: of each channel mean, spread, least, largest, mean change, how often it was observed (a logarithm) and
    the last values seen by 8 places; the length; the static numbers; every category as 0 or 1, of channels their share. NaN where
    nothing was observed."""
    values, steps = data.source.numbers, np.repeat(np.arange(len(data)), data.lengths)
    parts = [*_moments(values, steps, len(data)), *_places(data), np.log1p(data.lengths)[:, None]]
    shares = _one_hot(data.source.codes, data.source.values)
    count = np.maximum(data.lengths, 1)[:, None]
    parts += [
        _sums(shares, steps, len(data)) / count,
        data.static.numbers,
        _one_hot(data.static.codes, data.static.values),
    ]
    return np.concatenate(parts, 1)


def _moments(values: np.ndarray, steps: np.ndarray, series: int) -> list[np.ndarray]:
    seen = ~np.isnan(values)
    count = _sums(seen, steps, series)
    known = np.where(count > 0, count, np.nan)
    mean = _sums(np.where(seen, values, 0), steps, series) / known
    spread = np.sqrt(_sums(np.where(seen, values - mean[steps], 0) ** 2, steps, series) / known)
    low, high = np.full(mean.shape, np.inf), np.full(mean.shape, -np.inf)
    np.minimum.at(low, steps, np.where(seen, values, np.inf))
    np.maximum.at(high, steps, np.where(seen, values, -np.inf))
    low, high = (np.where(np.isfinite(part), part, np.nan) for part in (low, high))
    change = np.where(steps[1:, None] == steps[:-1, None], np.abs(np.diff(values, axis=0)), np.nan)
    moved = ~np.isnan(change)
    moves = _sums(moved, steps[1:], series)
    mean_change = _sums(np.where(moved, change, 0), steps[1:], series) / np.where(moves > 0, moves, np.nan)
    return [mean, spread, low, high, mean_change, np.log1p(count)]


def _places(data: Labelled) -> list[np.ndarray]:
    """The last values seen by evenly spaced places: one array per place."""
    values, last, found = data.source.numbers, np.maximum(data.lengths - 1, 0), []
    seen = np.append(carried(values, np.isnan(values), data.begins), np.full((1, values.shape[1]), np.nan), 0)
    for k in range(PLACES):
        step = data.starts + np.round(last * k / (PLACES - 1)).astype(np.int64)
        found.append(seen[np.where(data.lengths > 0, step, -1)])
    return found


def _sums(values: np.ndarray, steps: np.ndarray, series: int) -> np.ndarray:
    columns = [np.bincount(steps, weights=v, minlength=series) for v in values.T]
    return np.column_stack(columns) if columns else np.empty((series, 0))


def _one_hot(codes: np.ndarray, values: Any) -> np.ndarray:
    parts = [codes[:, [k]] == np.arange(len(v)) for k, v in enumerate(values)]
    return np.concatenate(parts, 1).astype(float) if parts else np.empty((len(codes), 0))


class Standardised:
    """Summaries with the mean 0 and spread 1 of the training part; what is missing becomes the mean."""

    def __init__(self, mean: np.ndarray, spread: np.ndarray) -> None:
        self.mean, self.spread = mean, spread

    @classmethod
    def fit(cls, x: np.ndarray) -> Standardised:
        seen = ~np.isnan(x)
        count = np.maximum(seen.sum(0), 1)
        mean = np.where(seen, x, 0).sum(0) / count
        spread = np.sqrt((np.where(seen, x - mean, 0) ** 2).sum(0) / count)
        return cls(mean, np.where(spread > 1e-9 * np.maximum(np.abs(mean), 1e-300), spread, 1.0))

    def __call__(self, x: np.ndarray, limit: float = 10.0) -> np.ndarray:
        z = (x - self.mean) / self.spread
        return np.clip(np.where(np.isnan(z), 0, z), -limit, limit)
