"""The season of many series, found by autocorrelation and pooled over them.

A candidate of L steps is judged on what is left after the linear trend and a moving average of L steps are taken away:
a random walk and every slower swing vanish with them, a true season stays. Its autocorrelation at lag L is averaged
over the series. The shortest season wins that is nearly as strong as the strongest: 24 hours, not 48.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

SERIES = 300  # looked at, evenly over all
STEPS = 6144  # the latest of each: three weeks of five minutes
LEAST = 0.2  # an autocorrelation below this is no season
SHARE = 0.9  # nearly as strong: this share of the best autocorrelation, or two standard errors below it
LAGS = 1024  # the longest lag searched where time has no calendar


def find_season(y: np.ndarray, starts: np.ndarray, lengths: np.ndarray, candidates: tuple[int, ...]) -> int:
    """Steps in a season, 1 if there is none.

    y           [steps], NaN = missing, series one after the other (`starts`, `lengths` [series])
    candidates  steps that the calendar suggests; empty: lags are searched
    """
    rows = _straight(latest(y, starts, lengths))
    tests = len(candidates)
    if not candidates:
        candidates, tests = _peaks(rows)
    found = {lag: _strength(rows, lag, tests) for lag in candidates}
    best, noise = max(found.values(), default=(0.0, 0.0))
    enough = min(SHARE * best, best - 2 * noise)
    return min((lag for lag, (strength, _) in found.items() if strength > 0 and strength >= enough), default=1)


def latest(y: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The latest steps of up to SERIES of the series, as rows padded with NaN on the left: `[series, time]`."""
    chosen = np.unique(np.linspace(0, len(lengths) - 1, min(SERIES, len(lengths))).astype(np.int64))
    time = int(min(lengths[chosen].max(initial=0), STEPS))
    step = lengths[chosen, None] - time + np.arange(time)
    return np.where(step >= 0, y[np.maximum(starts[chosen, None] + step, 0)], np.nan)


def _straight(rows: np.ndarray) -> np.ndarray:
    """The rows without mean and linear trend; NaN everywhere in a row that is nothing but these."""
    seen = ~np.isnan(rows)
    count = np.maximum(seen.sum(1, keepdims=True), 1)
    mean = lambda a: np.where(seen, a, 0.0).sum(1, keepdims=True) / count  # noqa: E731
    at = np.broadcast_to(np.arange(rows.shape[1], dtype=float), rows.shape)
    at = np.where(seen, at - mean(at), 0.0)
    flat = np.where(seen, rows - mean(rows), 0.0)
    flat -= at * (at * flat).sum(1, keepdims=True) / np.maximum((at**2).sum(1, keepdims=True), 1.0)
    size = np.where(seen, np.abs(rows), 0.0).max(1, initial=0.0, keepdims=True)
    varies = np.abs(flat).max(1, initial=0.0, keepdims=True) > 1e-10 * size  # beyond rounding
    return np.where(seen & varies, flat, np.nan)


def _strength(rows: np.ndarray, lag: int, tests: int) -> tuple[float, float]:
    """The mean autocorrelation at `lag` after a moving average of `lag` steps is removed, and its standard error.

    The first is 0 where chance explains it; `tests` lags are tried, and with their number grows what chance can do.
    """
    rows = rows[(~np.isnan(rows)).sum(1) >= 2 * lag]
    if not len(rows):
        return 0.0, 0.0
    rest = rows - _moving_average(rows, lag)
    products, pairs = _pairs(rest, lag)
    spread = np.nanmean(rest**2, axis=1)
    usable = (spread > 0) & (pairs >= max(lag, 3))
    if not usable.any():
        return 0.0, 0.0
    bare = _of_noise(lag)
    found = float(np.mean((products / np.maximum(pairs, 1))[usable] / spread[usable]))
    found, noise = (found - bare) / (1 - bare), float(1 / np.sqrt(pairs[usable].sum()))
    return (found if found >= max(LEAST, NormalDist().inv_cdf(1 - 0.01 / tests) * noise) else 0.0), noise


def _of_noise(lag: int) -> float:
    """The autocorrelation at `lag` that removing a moving average puts into white noise; it matters for lag 2 only."""
    weights = -_moving_average(np.eye(3 * lag)[lag + lag // 2][None], lag)[0]
    weights[lag + lag // 2] += 1
    return float(weights[lag:] @ weights[:-lag] / (weights @ weights))


def _pairs(rows: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the products of observed values `lag` steps apart, per row."""
    products = rows[:, lag:] * rows[:, :-lag]
    return np.nansum(products, axis=1), (~np.isnan(products)).sum(1)


def _moving_average(rows: np.ndarray, window: int) -> np.ndarray:
    """Centred mean of the observed values, cut short at the ends; of an even window, the mean of its two places."""
    seen = ~np.isnan(rows)
    total = np.pad(np.cumsum(np.where(seen, rows, 0.0), axis=1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(seen, axis=1), ((0, 0), (1, 0)))
    first = np.arange(rows.shape[1]) - (window - 1) // 2
    value, weight = np.zeros(rows.shape), np.zeros(rows.shape)
    for shift in (0,) if window % 2 else (0, 1):
        low = np.clip(first - shift, 0, None)
        high = np.clip(first - shift + window, None, rows.shape[1])
        value += total[:, high] - total[:, low]
        weight += count[:, high] - count[:, low]
    return value / np.maximum(weight, 1)


def _peaks(rows: np.ndarray, most: int = 12) -> tuple[tuple[int, ...], int]:
    """The lags at which the pooled autocorrelation has its clearest peaks, and the number of lags looked at.

    A peak is the highest lag within a quarter of itself to both sides: a slow wave has one, not one per ripple.
    """
    length = np.sort((~np.isnan(rows)).sum(1))[-1 - len(rows) // 4]  # a length that a quarter of the series reach
    lags = int(min(length // 2, LAGS))
    if lags < 3:
        return (), 0
    pooled = _autocorrelation(rows, lags)
    near = lambda k: pooled[max(k - max(k // 4, 1), 1) : k + max(k // 4, 1) + 1]  # noqa: E731
    peaks = np.array([k for k in range(2, lags) if pooled[k] >= near(k).max()], dtype=np.int64)
    height = pooled[peaks] - np.minimum.accumulate(pooled)[peaks]
    return tuple(int(p) for p in peaks[np.argsort(-height, kind="stable")[:most]]), lags


def _autocorrelation(rows: np.ndarray, lags: int) -> np.ndarray:
    """Mean over the rows of the autocorrelation at lags 0…`lags`: `[lags + 1]`."""
    seen = ~np.isnan(rows)
    size = 2 * rows.shape[1]
    power = lambda a: np.fft.irfft(np.abs(np.fft.rfft(a, size)) ** 2, size)[:, : lags + 1]  # noqa: E731
    covariance, pairs = power(np.where(seen, rows, 0.0)), np.maximum(power(seen.astype(float)), 1.0)
    varies = covariance[:, 0] > 0
    if not varies.any():
        return np.zeros(lags + 1)
    correlation = covariance[varies] / pairs[varies]
    return (correlation / correlation[:, :1]).mean(0)
