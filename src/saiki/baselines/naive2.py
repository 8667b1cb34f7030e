"""M4's Naive2: the last value of the seasonally adjusted series, put back in season if a test says that there is one.

    seasonal    n >= 3m  and  |r_m| > 1.645 sqrt((1 + 2 (r_1^2 + … + r_{m-1}^2)) / n)   (m: season)
    trend       centred moving average of m steps (half weights at both ends if m is even)
    index_j     mean of y / trend at place j of the season, divided by the mean of all m indices
    forecast    last y / index  ·  index of the step

Source: `SeasonalityTest` and `Benchmarks` of Mcompetitions/M4-methods, which uses `acf` and `decompose` of R, here with
every lag at hand (R's `acf` stops at 10 log10 n, so that its test never finds a longer season). Two things that M4 does
not have: missing values are left out of every mean; a series with a value of 0 or less is adjusted by y - trend.
"""

from __future__ import annotations

import numpy as np

from saiki.baselines._rows import by_season, forecasts, last_observed, repeat

LIMIT = 1.645  # of the normal distribution: 90 %, both sides


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`, NaN on the left of a shorter row."""
    answer = np.repeat(last_observed(values)[:, None], horizon, axis=1)
    chosen = is_seasonal(values, season)
    if chosen.any():
        answer[chosen] = _seasonal(values[chosen], horizon, season)
    return answer


forecast, forecast_all = forecasts(rows)


def is_seasonal(values: np.ndarray, season: int) -> np.ndarray:
    """M4's test at 90 %: `[rows]`."""
    seen = ~np.isnan(values)
    count = seen.sum(1)
    if season < 2 or values.shape[1] <= season:
        return np.zeros(len(values), bool)
    mean = np.where(seen, values, 0.0).sum(1) / np.maximum(count, 1)
    rest = np.where(seen, values - mean[:, None], 0.0)
    power = (rest**2).sum(1)
    lagged = np.stack([(rest[:, k:] * rest[:, :-k]).sum(1) for k in range(1, season + 1)])  # [season, rows]
    r = lagged / np.where(power > 0, power, np.nan)
    limit = LIMIT * np.sqrt((1 + 2 * (r[:-1] ** 2).sum(0)) / np.maximum(count, 1))
    return (count >= 3 * season) & (np.abs(r[-1]) > limit)  # NaN, a constant, is not seasonal


def adjusted(values: np.ndarray, horizon: int, season: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values without their season `[rows, time]`, the indices ahead `[rows, horizon]`, and which rows multiply them.

    A row that is not seasonal is as it was, with indices of 0 that are added.
    """
    chosen = is_seasonal(values, season)
    plain, ahead, multiplied = values.copy(), np.zeros((len(values), horizon)), np.zeros(len(values), bool)
    if chosen.any():
        index, multiplied[chosen] = _indices(values[chosen], season)
        plain[chosen] = _without(values[chosen], index, multiplied[chosen])
        ahead[chosen] = repeat(index, horizon)
    return plain, ahead, multiplied


def _seasonal(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    index, positive = _indices(values, season)
    last = last_observed(_without(values, index, positive))[:, None]
    ahead = repeat(index, horizon)
    return np.where(positive[:, None], last * ahead, last + ahead)


def _without(values: np.ndarray, index: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Values `[rows, time]` without their seasonal index; places are counted from the end."""
    pattern = index[:, np.arange(-values.shape[1], 0) % index.shape[1]]
    return np.where(positive[:, None], values / np.where(pattern == 0, 1.0, pattern), values - pattern)


def _indices(values: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Seasonal indices `[rows, season]`, the first for the first step ahead, and whether a row is multiplicative."""
    positive = np.nanmin(values, axis=1) > 0
    trend = _trend(values, season)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(positive[:, None], values / trend, values - trend)
    seasons = by_season(part, season)
    seen = ~np.isnan(seasons)
    index = np.where(seen, seasons, 0.0).sum(1) / np.maximum(seen.sum(1), 1)
    index = np.where(seen.any(1), index, positive[:, None])  # a place never observed is neutral
    mean = index.mean(1, keepdims=True)
    return np.where(positive[:, None], index / np.where(positive[:, None], mean, 1.0), index - mean), positive


def _trend(values: np.ndarray, season: int) -> np.ndarray:
    """Centred moving average of the observed values; NaN where the window reaches beyond the series."""
    seen = ~np.isnan(values)
    weights = np.ones(season + 1 - season % 2)
    if season % 2 == 0:
        weights[[0, -1]] = 0.5
    half = len(weights) // 2
    total, mass = (_smooth(a, weights) for a in (np.where(seen, values, 0.0), seen.astype(float)))
    at = np.arange(values.shape[1])
    first = np.argmax(seen, axis=1)[:, None]
    inside = (at >= first + half) & (at < values.shape[1] - half)
    return np.where(inside & (mass > season / 2), total / np.maximum(mass, 1e-9), np.nan)


def _smooth(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Convolution along time, same length, zeros beyond."""
    half = len(weights) // 2
    total = np.cumsum(np.pad(values, ((0, 0), (half + 1, half))), axis=1)
    window = total[:, 2 * half + 1 :] - total[:, : -2 * half - 1]
    if weights[0] == 1.0:
        return window
    padded = np.pad(values, ((0, 0), (half, half)))
    return window - 0.5 * (padded[:, : values.shape[1]] + padded[:, 2 * half :])
