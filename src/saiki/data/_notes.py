"""What is said to the user about the data: a short table and a list of sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saiki.data.clock import Clock, shown
from saiki.data.columns import Columns
from saiki.data.frequency import Frequency, infer

if TYPE_CHECKING:
    from saiki.data.panel import Panel

#: series that are looked at for a step of their own, and the rows that it takes to have one
LOOKED_AT, FEWEST = 1000, 5


def describe(panel: Panel) -> list[tuple[str, str]]:
    """Pairs of a word and what it says."""
    low, middle, high = (int(q) for q in np.quantile(panel.lengths, [0, 0.5, 1], method="nearest"))
    missing = np.isnan(panel.y).mean() if len(panel.y) else 0.0
    rows = [
        ("series", f"{len(panel):,}"),
        ("steps", f"{len(panel.y):,} ({_span(low, middle, high)})"),
        ("time", _time(panel)),
        ("frequency", panel.frequency.name + ("" if panel.frequency.regular else " (irregular)")),
        ("season", f"{panel.season} steps" if panel.season > 1 else "none found"),
        ("columns", _columns(panel)),
        ("missing values", f"{missing:.1%}" if missing >= 0.0005 else f"{int(np.isnan(panel.y).sum())}"),
    ]
    if panel.known.any():
        rows.append(("known future", f"{int(panel.known.max())} steps in {int((panel.known > 0).sum()):,} series"))
    return rows + [("note", note) for note in panel.notes]


def _span(low: int, middle: int, high: int) -> str:
    return f"{low:,} in each series" if low == high else f"{low:,} to {high:,} in a series, median {middle:,}"


def _time(panel: Panel) -> str:
    if panel.clock.kind == "rows":
        return "the order of the rows"
    if not len(panel.times):
        return "none"
    show = lambda t: str(t).replace("T00:00:00.000000", "").replace(".000000", "").replace("T", " ")  # noqa: E731
    return f"{show(panel.times.min())} to {show(panel.times.max())}"


def _columns(panel: Panel) -> str:
    roles = panel.roles
    parts = [("id", roles.id), ("time", roles.time)]
    parts.append(("target", ", ".join(roles.target)))
    parts += [
        (r, ", ".join(_told(getattr(panel, r), n) for n in getattr(roles, r))) for r in ("past", "future", "static")
    ]
    return "; ".join(f"{role} {names}" for role, names in parts if names)


def _told(columns: Columns, name: str) -> str:
    """A covariate, and of text how many different ones there are."""
    if name not in columns.categorical:
        return name
    return f"{name} (text, {len(columns.values[columns.categorical.index(name)]):,} values)"


def remarks(
    series: dict,
    starts: np.ndarray,
    clock: Clock,
    frequency: Frequency,
    added: np.ndarray,
    uneven: np.ndarray,
    ids: int,
) -> list[str]:
    """Sentences about irregular time, missing values, short, constant and empty series."""
    y, lengths, total = series["y"], series["lengths"], len(series["lengths"])
    some = starts[lengths > 0]
    seen = np.add.reduceat(~np.isnan(y), some) if len(some) else np.empty(0, int)
    high = np.maximum.reduceat(np.where(np.isnan(y), -np.inf, y), some)
    low = np.minimum.reduceat(np.where(np.isnan(y), np.inf, y), some)
    empty, constant = (seen == 0).sum(), ((high == low) & (seen > 1)).sum()
    gaps, short = (seen < lengths[lengths > 0]).sum(), (lengths < 3).sum()
    other = _steps_of_their_own(series, starts, frequency) if uneven.any() and clock.kind != "rows" else {}
    apart = (
        f"{sum(other.values())} series have a step of their own ({', '.join(other)}): their forecasts come at times "
        f"{frequency.name} apart all the same; forecast them from a table of their own."
    )
    late = (
        f"Time is irregular in {uneven.sum()} of {ids} series (step {frequency.name}): rows are taken as equal steps."
    )
    filled = f"{added.sum():,} steps left out in {(added > 0).sum()} of {ids} series were added as missing values."
    ends = series["times"][some + lengths[lengths > 0] - 1] if len(some) else np.empty(0)
    early = int((ends < ends.max()).sum()) if len(ends) and clock.kind not in ("rows", "integer") else 0
    first = shown(ends.min()) if early else ""
    behind = f"{early} of {total} series end before the others, the first at {first}: their forecasts begin there."
    known = series["times"][~np.isnan(y)]
    empty_end = int((series["times"] > known.max()).sum()) if len(known) and not series["future"] else 0
    bare = (
        f"The last {empty_end:,} rows have no value in any series: forecasts begin after them. "
        "Leave them out if they are to be forecast."
    )
    checks = [
        (clock.kind == "rows", "There is no column of times: the order of the rows is taken as the time."),
        (uneven.any(), late),
        (other, apart),
        (added.any(), filled),
        (gaps, f"Values are missing in {gaps} of {total} series ({np.isnan(y).sum():,} steps)."),
        (empty, f"{empty} of {total} series have no value at all."),
        (constant, f"{constant} of {total} series are constant."),
        (early, behind),
        (empty_end, bare),
        (short, f"{short} of {total} series have fewer than three steps."),
    ]
    return [sentence for true, sentence in checks if true]


def _steps_of_their_own(series: dict, starts: np.ndarray, frequency: Frequency) -> dict[str, int]:
    """Steps that some series keep to and most do not, and how many keep to each; of many series the first are looked at."""
    found: dict[str, int] = {}
    for start, length in zip(starts[:LOOKED_AT], series["lengths"][:LOOKED_AT], strict=True):
        times = series["times"][start : start + length]
        if length < FEWEST:
            continue
        own = infer(times, np.array([length]))
        steps, fits = own.grid(times, np.repeat(times[:1], length))
        if own.name != frequency.name and fits.all() and steps[-1] < 2 * length:
            found[own.name] = found.get(own.name, 0) + 1
    return found
