"""From options and data to the sizes of a forecasting network."""

from __future__ import annotations

import numpy as np

from saiki.data.panel import Panel
from saiki.errors import DataError, OptionError
from saiki.modalities.table import TableCodec
from saiki.network.forecaster import Plan
from saiki.tasks.forecast import Forecast

#: seasons in the window: two weeks of days hold the weekday twice
SEASONS = 14
#: a longer season is read in patches of this many steps
LONGEST_PATCH = 48
#: values in the window of a series without season
PLAIN_HISTORY = 64


def make_plan(options: Forecast, panel: Panel, codec: TableCodec) -> Plan:
    """The sizes: as asked for, else from the season, the horizon and the length of the series.

    The window holds 14 seasons, or two horizons if that is more, and at most what half of the series have before
    their last horizon. A token is one season, or a part of a long one.
    """
    season = panel.season
    patch = options.patch or _patch(season)
    history = options.history or _history(panel, options.horizon, season, patch)
    if options.history and options.patch and options.history % options.patch:
        raise OptionError(f"history {history} is not a multiple of patch {patch}; expected whole patches")
    if options.history and history % patch:
        patch = next(p for p in range(min(patch, history), 0, -1) if history % p == 0)
    log = options.log if options.log is not None else options.scale == "window" and _positive(panel)
    if log and not _positive(panel):
        raise DataError("the logarithm needs positive values, but there are values of 0 or below; leave out --log")
    copies = min(SEASONS, history // season) if options.copies is None else options.copies
    if copies * season > history:
        raise OptionError(
            f"{copies} copies of a season of {season} steps need a history of {copies * season}; got {history}"
        )
    widths, categories = codec.widths, codec.categories
    return Plan(
        history=history,
        horizon=options.horizon,
        season=season,
        patch=patch,
        copies=copies,
        log=log,
        scale=options.scale == "window",
        levels=options.levels,
        past=widths["past"],
        future=widths["future"],
        static=widths["static"],
        calendar=widths["calendar"],
        categories=tuple((role, codes) for role, counts in categories.items() for codes in counts),
    )


def _patch(season: int) -> int:
    if season <= LONGEST_PATCH:
        return season
    divisors = [d for d in range(8, LONGEST_PATCH + 1) if season % d == 0]
    return max(divisors, default=LONGEST_PATCH // 2)


def _history(panel: Panel, horizon: int, season: int, patch: int) -> int:
    wanted = max(SEASONS * season if season > 1 else PLAIN_HISTORY, 2 * horizon)
    there = int(np.median(panel.lengths)) - horizon
    return max(1, round(min(wanted, there) / patch)) * patch


def _positive(panel: Panel) -> bool:
    """Whether every value is positive (and there are values at all)."""
    with np.errstate(invalid="ignore"):
        return bool((panel.y > 0).any() and not (panel.y <= 0).any())
