"""From options and data to the sizes of a forecasting network."""

from __future__ import annotations

from typing import Any

import numpy as np

from saiki.baselines import linear_lags
from saiki.data.panel import Panel
from saiki.errors import DataError, OptionError
from saiki.modalities.table import TableCodec
from saiki.network import laws
from saiki.network.forecaster import Plan
from saiki.network.scaling import SMALLEST
from saiki.tasks.forecast import Forecast

#: with fewer series there is little to tell their common ways from chance
MANY_SERIES = 20
#: seasons in the window: two weeks of days hold the weekday twice; fewer of long seasons
SEASONS, LONG_SEASONS = 14, 7
#: steps in a token at most; a longer season is read in parts
LONGEST_PATCH = 24
#: tokens in the window of a series without season
PLAIN_TOKENS = 28
#: last tokens that forecast in training, at most
FORKS = 7
#: share of values that are 0 by which 0 is a floor and no chance
ZEROS = 0.05
#: spreads below this, relative to the level, are taken for rounding
ROUNDING = 1e-8
#: share of series that are the steadiest, and how many series are looked at for it
STEADIEST, MOST_LOOKED_AT = 0.02, 5000
#: copies at most
COPIES = 14
#: quantiles that are trained where no level is asked for: the widths by which intervals of any level are made
WIDTHS = (0.1, 0.9)


def make_plan(options: Forecast, panel: Panel, codec: TableCodec) -> Plan:
    """The sizes: as asked for, else from the season, the horizon and the length of the series.

    The window holds 14 seasons (7 long ones) and at least one horizon, but leaves half of a typical series to slide over.
    A token is one season, or a part of a long one.
    """
    season, length = panel.season, int(np.median(panel.lengths)) - options.horizon
    longest = int(panel.lengths.max())
    for name, value in (("season", options.season), ("history", options.history)):
        if value and value > longest:
            raise OptionError(
                f"{name} {value} is longer than the longest series, {longest} steps without what is held out"
            )
    patch = options.patch or _patch(season, options.horizon)
    if options.history:
        history, spare = options.history, 0
        patch = options.patch or _divisor(history, patch)
    else:
        history = _history(length, options.horizon, season, patch)
        spare = (length - history) // patch
    if history % patch:
        raise OptionError(f"history {history} is not a multiple of patch {patch}; expected whole patches")
    copies = min(COPIES, history // season) if options.copies is None else options.copies
    if copies * season > history:
        raise OptionError(f"{copies} copies of {season} steps, the season, need a longer history than {history}")
    forks = options.forks or max(1, min(FORKS, spare // 2))
    counts = options.distribution == "negative_binomial"
    if counts and not _counts(panel):
        raise DataError(
            "negative_binomial is for counts, but there are values that are not 0, 1, 2, …; choose gaussian"
        )
    log = options.log if options.log is not None else options.scale == "window" and _positive(panel) and not counts
    if log and not _positive(panel):
        raise DataError("the logarithm needs positive values, but there are values of 0 or below; leave out --log")
    if options.lags and options.lags > history:
        raise OptionError(f"lags {options.lags} is more than the history, {history} steps; expected at most as many")
    if options.lags and season > history:
        raise OptionError(
            f"lags need a season inside the history, but the season is {season} steps and the history {history}; give a shorter "
            "--season or a longer --history"
        )
    if options.log and options.scale != "window":
        raise OptionError(f"log has no meaning with scale {options.scale}, only with window; leave one of them out")
    widths, categories = codec.widths, codec.categories
    return Plan(
        history=history + (forks - 1) * patch,
        horizon=options.horizon,
        season=season,
        patch=patch,
        copies=copies,
        forks=forks,
        log=log,
        scale=options.scale,
        levels=() if options.distribution in laws.PARAMETERS else options.levels or WIDTHS,
        distribution=options.distribution,
        joint=options.loss == options.distribution,
        lags=_lags(panel, season, history) if options.lags is None else options.lags,
        past=widths["past"],
        future=widths["future"],
        static=widths["static"],
        calendar=widths["calendar"],
        **units(options, panel),
        categories=tuple((role, codes) for role, counts in categories.items() for codes in counts),
    )


def units(options: Forecast, panel: Panel) -> dict[str, Any]:
    """What a plan takes from the values themselves: units of windows, and whether 0 is their floor."""
    unit = _unit(panel) if options.scale in ("level", "last") else 1.0
    return {"unit": unit, "typical": _typical(panel), "relative": _relative(panel), "floor": _floored(panel)}


def _patch(season: int, horizon: int) -> int:
    if season == 1:
        return -(-horizon // LONGEST_PATCH)
    if season <= LONGEST_PATCH:
        return season
    divisors = [d for d in range(LONGEST_PATCH // 3, LONGEST_PATCH + 1) if season % d == 0]
    return max(divisors, default=LONGEST_PATCH)


def _divisor(history: int, patch: int) -> int:
    """The largest patch up to `patch` that divides a history that was asked for."""
    return next(p for p in range(min(patch, history), 0, -1) if history % p == 0)


def _history(length: int, horizon: int, season: int, patch: int) -> int:
    """Steps of the window, whole patches; `length` steps stand before the last horizon of a typical series."""
    if season > 1:
        seasons = min(SEASONS if season <= LONGEST_PATCH else LONG_SEASONS, length // (2 * season))
        steps = season * max(2, seasons, -(-horizon // season))
    else:
        steps = max(2 * patch, min(max(PLAIN_TOKENS * patch, 2 * horizon), length // 2))
    return -(-steps // patch) * patch


def _lags(panel: Panel, season: int, history: int) -> int:
    """Those of the baseline on lags for few series; many teach the network more than a linear forecast says.

    None where the season is longer than the window: the regression begins at the value one season ago.
    """
    if len(panel) >= MANY_SERIES or season > history:
        return 0
    return min(linear_lags.count_lags(int(panel.lengths.max()), season), history)


def default_width(series: int) -> int:
    """Units per layer: few series are learned by heart within minutes by a wide network."""
    return 128 if series >= 100 else 64 if series >= MANY_SERIES else 32


def training_defaults(series: int) -> dict[str, float]:
    """Smaller steps for few series: with large ones their best weights are passed within some tens of steps."""
    return {} if series >= MANY_SERIES else {"learning_rate": 2e-3}


def _positive(panel: Panel) -> bool:
    """Whether every value is positive (and there are values at all)."""
    with np.errstate(invalid="ignore"):
        return bool((panel.y > 0).any() and not (panel.y <= 0).any())


def _floored(panel: Panel) -> bool:
    """Whether 0 is where values end, as those of sales and rain do: none lies below it, and some lie on it."""
    known = panel.y[np.isfinite(panel.y)]
    return bool(len(known) and known.min() == 0 and (known == 0).mean() >= ZEROS)


def _counts(panel: Panel) -> bool:
    """Whether every known value is a whole number, 0 or above."""
    known = panel.y[np.isfinite(panel.y)]
    return bool((known >= 0).all() and (known == np.round(known)).all())


def _unit(panel: Panel) -> float:
    """The spread of all values about the means of their series; 1 where there is none."""
    squares, counts = _deviations(panel)
    spread = float(np.sqrt(squares.sum() / max(counts.sum(), 1)))
    return spread if spread > 0 else 1.0


def _typical(panel: Panel) -> float:
    """The median spread of the series that have one; 1 where none has."""
    squares, counts = _deviations(panel)
    some = squares > 0
    return float(np.median(np.sqrt(squares[some] / counts[some]))) if some.any() else 1.0


def _relative(panel: Panel) -> float:
    """The smallest spread of a window, relative to its level: less than usual for data as steady as the frequency of a power grid.

    A tenth of what the steadiest series (of many, 2 %) have about their medians; those that mostly stand still have none.
    """
    found = []
    for k in np.unique(np.linspace(0, len(panel) - 1, MOST_LOOKED_AT).astype(np.int64)):
        y = panel.y[panel.starts[k] : panel.starts[k] + panel.lengths[k]]
        y = y[np.isfinite(y)]
        if len(y) and (middle := float(np.median(y))) != 0:
            found.append(float(np.median(np.abs(y - middle))) / abs(middle))
    some = [spread for spread in found if spread > 0]
    if not some:
        return SMALLEST
    return min(SMALLEST, max(float(np.quantile(some, STEADIEST, method="lower")) / 10, ROUNDING))


def _deviations(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the squared deviations of every series from its mean, and how many values it has."""
    series, seen = np.repeat(np.arange(len(panel)), panel.lengths), np.isfinite(panel.y)
    counts = np.bincount(series[seen], minlength=len(panel))
    mean = np.bincount(series[seen], panel.y[seen], minlength=len(panel)) / np.maximum(counts, 1)
    away = (panel.y - mean[series])[seen] ** 2
    return np.bincount(series[seen], away, minlength=len(panel)), counts
