"""The season of many series, found by autocorrelation and pooled over them.

A candidate of L steps is judged on what is left after a moving average of L steps is taken away: a trend, a random walk
and every slower swing vanish with it, a true season stays. Its autocorrelation at lag L is averaged over the series.
"""

from __future__ import annotations

import numpy as np

SERIES = 300  # looked at, evenly over all
STEPS = 6144  # the latest of each: three weeks of five minutes
LEAST = 0.2  # an autocorrelation below this is no season
SHARE = 0.9  # a shorter season wins if it has this share of the best one's autocorrelation
LAGS = 1024  # the longest lag searched where time has no calendar


def find_season(y: np.ndarray, starts: np.ndarray, lengths: np.ndarray, candidates: tuple[int, ...]) -> int:
    """Steps in a season, 1 if there is none.

    y           [steps], NaN = missing, series one after the other (`starts`, `lengths` [series])
    candidates  steps that the calendar suggests; empty: lags are searched
    """
    rows = latest(y, starts, lengths)
    if not candidates:
        candidates = _peaks(rows)
    strength = {c: _strength(rows, c) for c in candidates}
    best = max(strength.values(), default=0.0)
    good = [c for c, s in strength.items() if s > 0 and s >= SHARE * best]
    return min(good, default=1)


def latest(y: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The latest steps of up to SERIES of the series, as rows padded with NaN on the left: `[series, time]`."""
    chosen = np.unique(np.linspace(0, len(lengths) - 1, min(SERIES, len(lengths))).astype(np.int64))
    time = int(min(lengths[chosen].max(initial=0), STEPS))
    step = lengths[chosen, None] - time + np.arange(time)
    return np.where(step >= 0, y[np.maximum(starts[chosen, None] + step, 0)], np.nan)


def _strength(rows: np.ndarray, lag: int) -> float:
    """The mean autocorrelation at `lag` after a moving average of `lag` steps is removed; 0 where it means nothing."""
    seen = ~np.isnan(rows)
    rows = rows[seen.sum(1) >= 2 * lag]
    if not len(rows):
        return 0.0
    rest = rows - _moving_average(rows, lag)
    products, pairs = _pairs(rest, lag)
    spread = np.nanmean(rest**2, axis=1)
    varies = (spread > 1e-12 * np.nanmean(rows**2, axis=1)) & (pairs >= max(lag, 3))
    if not varies.any():
        return 0.0
    found = float(np.mean((products / np.maximum(pairs, 1))[varies] / spread[varies]))
    noise = 2.6 / np.sqrt(pairs[varies].sum())  # 99 % of what independent values give
    return found if found >= max(LEAST, noise) else 0.0


def _pairs(rows: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the products of observed values `lag` steps apart, per row."""
    products = rows[:, lag:] * rows[:, :-lag]
    return np.nansum(products, axis=1), (~np.isnan(products)).sum(1)


def _moving_average(rows: np.ndarray, window: int) -> np.ndarray:
    """Centred mean of the observed values; windows are cut short at the ends."""
    seen = ~np.isnan(rows)
    total = np.pad(np.cumsum(np.where(seen, rows, 0.0), axis=1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(seen, axis=1), ((0, 0), (1, 0)))
    at = np.arange(rows.shape[1])
    low, high = np.maximum(at - window // 2, 0), np.minimum(at - window // 2 + window, rows.shape[1])
    return (total[:, high] - total[:, low]) / np.maximum(count[:, high] - count[:, low], 1)


def _peaks(rows: np.ndarray, most: int = 12) -> tuple[int, ...]:
    """The lags at which the pooled autocorrelation has its clearest peaks."""
    length = np.sort((~np.isnan(rows)).sum(1))[-1 - len(rows) // 4]  # a length that a quarter of the series reach
    lags = int(min(length // 2, LAGS))
    if lags < 3:
        return ()
    pooled = _autocorrelation(rows, lags)
    inner = np.arange(2, lags)
    peaks = inner[(pooled[inner] > pooled[inner - 1]) & (pooled[inner] >= pooled[inner + 1])]
    height = pooled[peaks] - np.minimum.accumulate(pooled)[peaks]
    return tuple(int(p) for p in peaks[np.argsort(-height, kind="stable")[:most]])


def _autocorrelation(rows: np.ndarray, lags: int) -> np.ndarray:
    """Mean over the rows of the autocorrelation at lags 0…`lags`, linear trends removed: `[lags + 1]`."""
    seen = ~np.isnan(rows)
    at = np.where(seen, np.arange(rows.shape[1], dtype=float), np.nan)
    with np.errstate(all="ignore"):
        count = np.maximum(seen.sum(1, keepdims=True), 1)
        at = np.where(seen, at - np.nansum(at, 1, keepdims=True) / count, 0.0)
        flat = np.where(seen, rows - np.nansum(rows, 1, keepdims=True) / count, 0.0)
        slope = (at * flat).sum(1, keepdims=True) / np.maximum((at**2).sum(1, keepdims=True), 1e-300)
    flat -= slope * at
    size = 2 * rows.shape[1]
    power = lambda a: np.fft.irfft(np.abs(np.fft.rfft(a, size)) ** 2, size)[:, : lags + 1]  # noqa: E731
    covariance, pairs = power(flat), np.maximum(power(seen.astype(float)), 1.0)
    variance = covariance[:, :1] / pairs[:, :1]
    varies = variance[:, 0] > 1e-12 * np.maximum(np.nansum(rows**2, 1) / count[:, 0], 1e-300)
    if not varies.any():
        return np.zeros(lags + 1)
    return (covariance[varies] / pairs[varies] / variance[varies]).mean(0)
