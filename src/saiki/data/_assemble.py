"""From the rows of a table to the arrays of a panel, one concern per function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from saiki.data._notes import remarks
from saiki.data.columns import Clock, Columns, as_polars, covariates, identities, numbers, times
from saiki.data.frequency import Frequency, infer, irregular
from saiki.data.roles import Roles, resolve
from saiki.data.season import find_season
from saiki.errors import DataError, OptionError
from saiki.readers import read_frame


@dataclass
class Rows:
    """The rows of the table in order of id and time; `at` is the row of the table, -1 for a step that was added."""

    ids: np.ndarray  # [ids]
    lengths: np.ndarray  # [ids]
    times: np.ndarray  # [rows]
    at: np.ndarray  # [rows]
    clock: Clock

    @property
    def starts(self) -> np.ndarray:
        return np.cumsum(self.lengths) - self.lengths


def assemble(frame: Any, roles: Roles | tuple, freq: str | int | None, season: int | None) -> dict:
    """The fields of a Panel."""
    frame = read_frame(frame)
    if not len(frame):
        raise DataError("the table has no rows; expected one row per step")
    table = {name: as_polars(frame[name]) for name in frame.columns}
    roles = resolve(table, *((roles.target, *_rest(roles)) if isinstance(roles, Roles) else roles))
    rows = _sorted(table, roles)
    frequency = _frequency(rows, freq)
    rows, frequency, added, uneven = _on_grid(rows, frequency)
    y = _targets(table, roles, rows)
    past, future, static = (covariates(table, names, len(frame)) for names in (roles.past, roles.future, roles.static))
    static = static.take(_static_rows(static, rows, roles))
    lengths, known = _known(y, rows, future)
    series = _series(rows, roles, y, lengths, known, past, future, static)
    starts = np.cumsum(series["lengths"]) - series["lengths"]
    found = _season(season) or find_season(series["y"], starts, series["lengths"], frequency.seasons)
    notes = remarks(series, starts, rows.clock, frequency, added, uneven, len(rows.ids))
    return {**series, "frequency": frequency, "season": found, "roles": roles, "clock": rows.clock, "notes": notes}


def _rest(roles: Roles) -> tuple:
    return roles.id, roles.time, roles.past, roles.future, roles.static


def _season(season: int | None) -> int | None:
    if season is not None and season < 1:
        raise OptionError(f"season {season} has no meaning; expected the number of steps in a season, 1 for none")
    return season


def _sorted(table: dict[str, pl.Series], roles: Roles) -> Rows:
    """The rows in order of id and time; DataError for duplicates and where no series has two rows."""
    size = len(next(iter(table.values())))
    ids, code = identities(table[roles.id]) if roles.id else (np.array([""], object), np.zeros(size, np.int64))
    if roles.time is None:
        moment, clock = np.arange(size), Clock("rows")
    else:
        moment, clock = times(table[roles.time])
    order = np.arange(size)
    ahead = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (moment[1:] >= moment[:-1]))
    if not ahead.all():
        order = np.lexsort((moment, code))
        code, moment = code[order], moment[order]
    same = np.flatnonzero((code[1:] == code[:-1]) & (moment[1:] == moment[:-1]))
    if len(same):
        _duplicated(roles, ids[code[same[0]]], moment[same[0]], len(same))
    lengths = np.bincount(code, minlength=len(ids))
    if lengths.max() < 2:
        raise DataError(f"no series has two rows ({len(ids)} series, {size} rows); expected one row per step")
    if clock.kind == "rows":
        moment = np.arange(size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Rows(ids, lengths, moment, order, clock)


def _duplicated(roles: Roles, id: Any, moment: Any, count: int) -> None:
    which = f"{roles.id} {id!r} has" if roles.id else "there are"
    advice = "remove or average them" if roles.id else "if the file holds several series, name their column with --id"
    raise DataError(
        f"duplicated times: {which} two rows at {roles.time} {moment} ({count} such rows in all); "
        f"expected one row per series and time; {advice}"
    )


def _frequency(rows: Rows, freq: str | int | None) -> Frequency:
    if freq is None:
        return infer(rows.times, rows.lengths)
    frequency = Frequency.parse(freq)
    if not frequency.fits(rows.times):
        have = "integers" if rows.times.dtype.kind == "i" else "dates"
        raise OptionError(f"frequency {freq!r} does not fit a time of {have}; expected {_example(have)}")
    return frequency


def _example(have: str) -> str:
    return "an integer step (and --season for the season)" if have == "integers" else "a step such as h, D, W or MS"


def _on_grid(rows: Rows, frequency: Frequency) -> tuple[Rows, Frequency, np.ndarray, np.ndarray]:
    """Add the steps that regular series leave out, as missing.

    Returns the rows, the frequency, the number of steps added and whether the time is irregular, per id. A series off
    the grid, or with more steps left out than rows, is irregular: its rows are taken as steps.
    """
    starts = rows.starts
    step, fits = frequency.grid(rows.times, np.repeat(rows.times[starts], rows.lengths))
    wanted = step[starts + rows.lengths - 1] + 1
    advance = np.diff(step, prepend=-1)
    advance[starts] = 1
    off = np.logical_or.reduceat(~fits | (advance < 1), starts)
    uneven = off | (wanted > 2 * rows.lengths)
    added = np.where(uneven, 0, wanted - rows.lengths)
    frequency = irregular(frequency) if uneven.any() else frequency
    if not added.any():
        return rows, frequency, added, uneven
    lengths = rows.lengths + added
    inner = np.where(np.repeat(uneven, rows.lengths), np.arange(len(step)) - np.repeat(starts, rows.lengths), step)
    place = inner + np.repeat(np.cumsum(lengths) - lengths, rows.lengths)
    at = np.full(lengths.sum(), -1)
    at[place] = rows.at
    moment = np.empty(len(at), rows.times.dtype)
    moment[place] = rows.times
    _fill_times(moment, at, frequency)
    return Rows(rows.ids, lengths, moment, at, rows.clock), frequency, added, uneven


def _fill_times(moment: np.ndarray, at: np.ndarray, frequency: Frequency) -> None:
    """Give the added steps the times that follow the last row before them."""
    gaps = np.flatnonzero(at < 0)
    before = np.maximum.accumulate(np.where(at >= 0, np.arange(len(at)), 0))[gaps]
    ahead = gaps - before
    for distance in np.unique(ahead):
        chosen = ahead == distance
        moment[gaps[chosen]] = frequency.future(moment[before[chosen]], int(distance))[:, -1]


def _targets(table: dict[str, pl.Series], roles: Roles, rows: Rows) -> np.ndarray:
    """`[rows, targets]`; DataError for infinite values."""
    y = np.full((len(rows.at), len(roles.target)), np.nan)
    for k, name in enumerate(roles.target):
        y[:, k] = _finite(numbers(table[name], "target"), "target", name, table, roles)[rows.at]
    y[rows.at < 0] = np.nan
    for name in (*roles.past, *roles.future, *roles.static):
        if table[name].dtype.is_float():
            _finite(numbers(table[name], "covariate"), "covariate", name, table, roles)
    return y


def _finite(values: np.ndarray, role: str, name: str, table: dict[str, pl.Series], roles: Roles) -> np.ndarray:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        where = [f"{c} {table[c][row]}" for c in (roles.id, roles.time) if c]
        raise DataError(
            f"{role} column {name!r} has {int(infinite.sum())} infinite values, the first in row {row + 1}"
            f"{' (' + ', '.join(where) + ')' if where else ''}; expected numbers, empty where they are missing"
        )
    return values


def _static_rows(static: Columns, rows: Rows, roles: Roles) -> np.ndarray:
    """The row that tells the static columns of each id; DataError if one of them changes within a series."""
    if not static:
        return rows.at[rows.starts]
    table = static.take(rows.at)
    seen = ~np.isnan(table.numbers).any(1) & (table.codes >= 0).all(1)
    best = np.where(seen, np.arange(len(seen)), len(seen))
    first = np.minimum.reduceat(best, rows.starts)
    first = np.where(first < len(seen), first, rows.starts)
    reference = static.take(np.repeat(rows.at[first], rows.lengths))
    differs = (table.numbers != reference.numbers) & ~np.isnan(table.numbers) & ~np.isnan(reference.numbers)
    changed = (table.codes != reference.codes) & (table.codes >= 0) & (reference.codes >= 0)
    for names, where in ((static.numeric, differs), (static.categorical, changed)):
        for k, name in enumerate(names):
            if where[:, k].any():
                series = np.searchsorted(rows.starts, where[:, k].argmax(), side="right") - 1
                raise DataError(
                    f"static column {name!r} changes within {roles.id or 'the series'} {rows.ids[series]!r}; "
                    "expected one value per series; give a column that changes with --past or --future"
                )
    return rows.at[first]


def _known(y: np.ndarray, rows: Rows, future: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the history of each id, and steps after it for which only the future columns are known."""
    if not future:
        return rows.lengths, np.zeros_like(rows.lengths)
    table = future.take(rows.at)
    told = (~np.isnan(table.numbers)).any(1) | (table.codes >= 0).any(1)
    inner = np.arange(len(y)) - np.repeat(rows.starts, rows.lengths)
    reach = lambda seen: np.maximum.reduceat(np.where(seen, inner + 1, 0), rows.starts)  # noqa: E731
    last, known = reach(~np.isnan(y).all(1)), reach(told)
    split = (last > 0) & (known == rows.lengths)  # without a single value there is no history to split off
    lengths = np.where(split, last, rows.lengths)
    return lengths, rows.lengths - lengths


def _series(rows: Rows, roles: Roles, y, lengths, known, past: Columns, future: Columns, static: Columns) -> dict:
    """One series per id and target."""
    targets = len(roles.target)
    each = np.repeat(np.arange(len(rows.ids)), targets)
    first, lengths, known = rows.starts[each], lengths[each], known[each]
    steps = ranges(first, lengths)
    which = np.repeat(np.tile(np.arange(targets), len(rows.ids)), lengths)
    return {
        "ids": _names(rows.ids, roles),
        "times": rows.times[steps],
        "lengths": lengths,
        "y": y[steps, which],
        "past": past.take(rows.at[steps] if past else steps),
        "future": future.take(rows.at[ranges(first, lengths + known)] if future else steps),
        "known": known,
        "static": static.take(each),
    }


def ranges(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """`first[k], first[k] + 1, …` for `lengths[k]` steps, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - (ends - lengths), lengths)


def _names(ids: np.ndarray, roles: Roles) -> np.ndarray:
    if len(roles.target) == 1:
        return ids if roles.id else np.array([roles.target[0]], object)
    if roles.id is None:
        return np.array(roles.target, object)
    return np.array([f"{id}/{target}" for id in ids for target in roles.target], object)
