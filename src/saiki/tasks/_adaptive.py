"""Adaptive conformal intervals along the cutoffs of a back-test: a series that was missed too often gets wider ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.metrics import coverage, width
from saiki.tasks._evaluation import Table

if TYPE_CHECKING:
    from saiki.tasks._backtest import Found

#: how much one cutoff moves the share of misses that is aimed at
RATE = 0.05
#: levels between whose intervals those of any level are interpolated, in percent; level 0 is the point
GRID = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.8)


def intervals(found: Found, level: float, rate: float = RATE) -> tuple[np.ndarray, np.ndarray]:
    """Both ends by cutoff and series, rows as in `found`: `[rows, horizon]`.

        α_{t+1} = α_t + rate (α - miss_t)

    per series, with α = 1 - level, and miss_t the share of the steps of a horizon outside their interval. A cutoff knows the
    horizons that ended before it and no others, so where they overlap the answer comes late. α_t below 0 asks for
    the widest interval that is known, above 1 for the point.

    Source: Gibbs and Candès 2021 (arXiv 2106.00170), equation 2.
    """
    aim = 1 - level / 100
    alpha = np.full(len(found.panel), aim)
    waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # series, step at which the truth is known, miss
    lows, highs = [], []
    for series, ends, truth, ladder in zip(found.series, found.ends, found.truth, found.ladders, strict=True):
        now = np.full(len(found.panel), -1)
        now[series] = ends
        waiting = [_learn(alpha, rate, aim, now, *late) for late in waiting]
        low, high = _at(ladder, 100 * (1 - alpha[series]))
        lows.append(low)
        highs.append(high)
        known = np.isfinite(truth) & np.isfinite(low)
        outside = known & ((truth < low) | (truth > high))
        some = known.any(1)
        waiting.append((series[some], ends[some] + truth.shape[1], outside[some].sum(1) / known[some].sum(1)))
    return np.concatenate(lows), np.concatenate(highs)


def _learn(alpha: np.ndarray, rate: float, aim: float, now: np.ndarray, series: Any, ready: Any, miss: Any) -> Any:
    """Take in the misses that are known by now; the rest goes on waiting."""
    due = ready <= now[series]
    alpha[series[due]] += rate * (aim - miss[due])
    return series[~due], ready[~due], miss[~due]


def _at(ladder: tuple[np.ndarray, np.ndarray], levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolated ends of each series' own level, from those of the grid `[levels, series, horizon]`."""
    grid = np.array([0.0, *GRID])
    levels = np.clip(levels, 0, grid[-1])
    above = np.clip(np.searchsorted(grid, levels), 1, len(grid) - 1)
    share = ((levels - grid[above - 1]) / (grid[above] - grid[above - 1]))[:, None]
    row = np.arange(len(levels))
    low, high = (end[above - 1, row] * (1 - share) + end[above, row] * share for end in ladder)
    return low, high


def ladder(forecasts: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends at level 0 and at those of the grid: `[levels, series, horizon]` each."""
    low, high = ([forecasts["saiki"], *(forecasts[f"saiki-{side}-{v:g}"] for v in GRID)] for side in ("lo", "hi"))
    return np.stack(low), np.stack(high)


def unmoved(found: Found) -> str:
    """Why nothing adapted, where no cutoff of any series knows the truth of an earlier one; else nothing."""
    last = np.full(len(found.panel), -1)
    for series, ends in zip(found.series, found.ends, strict=True):
        last[series] = ends
    horizon = found.truth[0].shape[1]
    if any(
        (np.isfinite(truth).any(1) & (ends + horizon <= last[series])).any()
        for series, ends, truth in zip(found.series, found.ends, found.truth, strict=True)
    ):
        return ""
    return (
        "The adaptive intervals are the calibrated ones: no horizon was known by a later cutoff, so none could be learned from; "
        f"give more --windows, or a larger --step: a cutoff knows those that ended, all {horizon} steps, before it."
    )


def compare(found: Found) -> tuple[Table, list[dict[str, Any]]]:
    """Coverage and width of the calibrated intervals and of the adaptive ones, level by level."""
    whole, truth, rows = found.whole(), np.concatenate(found.truth), []
    for level in found.levels:
        fixed = whole[f"saiki-lo-{level:g}"], whole[f"saiki-hi-{level:g}"]
        for kind, (low, high) in (("calibrated once", fixed), ("adaptive", intervals(found, level))):
            scores = {"coverage": coverage.score(truth, low, high), "width": width.score(truth, low, high)}
            rows.append({"level": level, "intervals": kind, **scores})
    body = [[f"{r['level']:g}", r["intervals"], f"{r['coverage']:.3f}", f"{r['width']:.3f}"] for r in rows]
    note = f"α moves by {RATE:g} of the error at each cutoff, series by series."
    return Table("Intervals along the cutoffs", ["level", "intervals", "coverage", "width"], body, note), rows
