"""Exponential smoothing with and without a fading trend and a season, also of logarithms; the form is chosen by AICc.

    level            f = l                       level and season      f = l + s
    fading trend     f = l + d b                 all three             f = l + d b + s

with the recursions of `_smoothing`, in their innovation form with additive errors. The logarithm stands for multiplied
seasons and errors; its AICc counts 2 Σ log y, so that both are compared in the unit of the data. Level and season begin with
means of the series, not estimated; parameters are the best of a grid: hundreds of series take seconds, where an exact search
takes minutes.

Source: Hyndman, Koehler, Ord, Snyder, "Forecasting with Exponential Smoothing", 2008, chapter 2 and 7.2.
"""

from __future__ import annotations

import numpy as np

from saiki.baselines._rows import by_season, forecasts, last_observed
from saiki.baselines._smoothing import LATEST, Candidates, Fitted, smooth

#: series up to which it is computed unasked: it takes some milliseconds each
MANY = 5000
LONGEST = 400  # steps of a season that is still modelled
LEVELS = (0.02, 0.06, 0.12, 0.25, 0.4, 0.6, 0.8, 0.99)
PLAIN = (
    (Candidates.grid(LEVELS), 2),  # and how many numbers each form estimates
    (Candidates.grid(LEVELS, (0.02, 0.1, 0.3, 0.6), fade=(0.8, 0.9, 0.98)), 5),
)
SEASONAL = (
    (Candidates.grid(LEVELS, season=(0.0, 0.05, 0.15, 0.4)), 3),
    (Candidates.grid(LEVELS[::2], (0.05, 0.2), season=(0.0, 0.1, 0.3), fade=(0.9, 0.98)), 6),
)


def rows(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """`[rows, horizon]` from `[rows, time]`, NaN on the left of a shorter row."""
    values = values[:, -LATEST:]
    answer, score = _best(values, horizon, season)
    with np.errstate(invalid="ignore"):
        positive = (np.where(np.isnan(values), np.inf, values) > 0).all(1) & ~np.isnan(values).all(1)
    if positive.any():
        logs = np.log(values[positive])
        found, its_score = _best(logs, horizon, season)
        its_score = its_score + 2 * np.nansum(logs, axis=1)
        better = its_score < score[positive]
        limit = np.nanmax(logs, axis=1, keepdims=True) + 2  # a trend of logarithms must not run away
        answer[positive] = np.where(better[:, None], np.exp(np.minimum(found, limit)), answer[positive])
    last = last_observed(values)[:, None]
    return np.where(np.isfinite(answer) & ~np.isnan(last), answer, last)


forecast, forecast_all = forecasts(rows)


def _best(values: np.ndarray, horizon: int, season: int) -> tuple[np.ndarray, np.ndarray]:
    """The forecast of the form with the lowest AICc, and that AICc: `[rows, horizon]`, `[rows]`."""
    seen = ~np.isnan(values)
    count = seen.sum(1)
    none = np.zeros((len(values), 1))
    level = _mean(values, np.cumsum(seen, axis=1) <= max(season, 4))
    answer = np.full((len(values), horizon), np.nan)
    score = np.full(len(values), np.inf)
    power = _mean((values - _mean(values, seen)[:, None]) ** 2, seen)
    for candidates, parameters in PLAIN:
        _choose(smooth(values, candidates, level, none), parameters, power, np.ones(len(values), bool), answer, score)
    if 1 < season <= LONGEST:
        places = _places(values, season)
        enough = (count >= 2 * season + 3) & (seen[:, : -2 * season].any(1))
        for candidates, parameters in SEASONAL:
            fitted = smooth(values, candidates, level, places)
            _choose(fitted, parameters + season - 1, power, enough, answer, score)
    return answer, score


def _choose(
    found: Fitted, parameters: int, power: np.ndarray, may: np.ndarray, answer: np.ndarray, score: np.ndarray
) -> None:
    """Keep the forecasts of a form where its AICc is lower, in place."""
    count = np.maximum(found.count, 1)
    left = count - parameters - 1
    error = np.maximum(found.error / count, 1e-14 * power + 1e-300)
    with np.errstate(divide="ignore"):
        aicc = count * np.log(error) + 2 * parameters * np.where(left > 0, count / np.maximum(left, 1), np.inf)
    # a series too short for any form takes the first
    first = np.isnan(answer).any(1)
    gain = np.subtract(score, aicc, out=np.zeros_like(score), where=np.isfinite(aicc))
    better = may & (first | (gain > 1e-9 * np.abs(aicc)))
    answer[better] = found.ahead(answer.shape[1])[better]
    score[better] = aicc[better]


def _places(values: np.ndarray, season: int) -> np.ndarray:
    """The mean deviation of each place of the season from the mean of its season: `[rows, season]`."""
    seasons = by_season(values, season)
    seen = ~np.isnan(seasons)
    mean = np.where(seen, seasons, 0.0).sum(2, keepdims=True) / np.maximum(seen.sum(2, keepdims=True), 1)
    rest, whole = np.where(seen, seasons - mean, 0.0), seen & (2 * seen.sum(2, keepdims=True) > season)
    places = np.where(whole, rest, 0.0).sum(1) / np.maximum(whole.sum(1), 1)
    return places - places.mean(1, keepdims=True)


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The mean of the chosen observed values of each row, 0 where there is none."""
    chosen = chosen & ~np.isnan(values)
    return np.where(chosen, values, 0.0).sum(1) / np.maximum(chosen.sum(1), 1)
