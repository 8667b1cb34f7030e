"""From the rows of a table to the arrays of a panel, one concern per function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from saiki.data._notes import remarks
from saiki.data._rows import Rows, frequency_of, on_grid, ranges, sorted_rows
from saiki.data.columns import LARGEST, SMALLEST, Columns, as_polars, covariates, numbers, plain
from saiki.data.frequency import Frequency
from saiki.data.roles import Roles, resolve
from saiki.data.season import find_season
from saiki.errors import DataError, OptionError
from saiki.readers import read_frame


def assemble(frame: Any, roles: Roles | tuple, freq: str | int | None, season: int | None) -> dict:
    """The fields of a Panel."""
    frame = read_frame(frame)
    if not len(frame):
        raise DataError("the table has no rows; expected one row per step")
    table = {name: as_polars(frame[name]) for name in frame.columns}
    asked = _asked(roles) if isinstance(roles, Roles) else roles
    roles = resolve(table, *asked)
    counted = freq is not None and Frequency.parse(freq).unit == "integer"
    rows = sorted_rows(table, roles, known_step=freq is not None, counted=counted)
    frequency = frequency_of(rows, freq)
    rows, frequency, added, uneven = on_grid(rows, frequency)
    y = _targets(table, roles, rows)
    past, future, static = (covariates(table, names, len(frame)) for names in (roles.past, roles.future, roles.static))
    static = _statics(static, rows, roles)
    lengths, known = _known(y, rows, future)
    series = _series(rows, roles, y, lengths, known, past, future, static)
    starts = np.cumsum(series["lengths"]) - series["lengths"]
    found = _season(season) or find_season(series["y"], starts, series["lengths"], frequency.seasons)
    notes = remarks(series, starts, rows.clock, frequency, added, uneven, len(rows.ids))
    return {**series, "frequency": frequency, "season": found, "roles": roles, "clock": rows.clock, "notes": notes}


def _asked(roles: Roles) -> tuple:
    return roles.target, roles.id, roles.time, roles.past, roles.future, roles.static


def _season(season: int | None) -> int | None:
    if season is not None and season < 1:
        raise OptionError(f"season {season} has no meaning; expected the number of steps in a season, 1 for none")
    return season


def _targets(table: dict[str, pl.Series], roles: Roles, rows: Rows) -> np.ndarray:
    """`[rows, targets]`; DataError for values that leave float64."""
    y = np.full((len(rows.at), len(roles.target)), np.nan)
    for k, name in enumerate(roles.target):
        y[:, k] = _finite(numbers(table[name], "target"), "target", name, table, roles)[rows.at]
    y[rows.at < 0] = np.nan
    for name in (*roles.past, *roles.future, *roles.static):
        if table[name].dtype.is_float():
            _finite(numbers(table[name], "covariate"), "covariate", name, table, roles)
    return y


def _finite(values: np.ndarray, role: str, name: str, table: dict[str, pl.Series], roles: Roles) -> np.ndarray:
    for found, what in (
        (np.isinf(values), "infinite values"),
        (np.abs(values) > LARGEST, f"values beyond {LARGEST:g}"),
    ):
        if found.any():
            row = int(found.argmax())
            where = [f"{c} {table[c][row]}" for c in (roles.id, roles.time) if c]
            raise DataError(
                f"{role} column {name!r} has {int(found.sum())} {what}, the first in row {row + 1}"
                f"{' (' + ', '.join(where) + ')' if where else ''}; expected numbers, empty where they are missing"
            )
    return np.where(np.abs(values) < SMALLEST, 0, values)


def _statics(static: Columns, rows: Rows, roles: Roles) -> Columns:
    """The static columns of each id, each from the first row that tells it; DataError if one changes within a series."""
    table, every = static.take(rows.at), np.arange(len(rows.at))

    def told(values: np.ndarray, seen: np.ndarray, name: str) -> np.ndarray:
        first = np.minimum.reduceat(np.where(seen, every, len(every)), rows.starts)
        found = values[np.where(first < len(every), first, rows.starts)]
        differs = seen & (values != np.repeat(found, rows.lengths))
        if differs.any():
            series = np.searchsorted(rows.starts, differs.argmax(), side="right") - 1
            raise DataError(
                f"static column {name!r} changes within {roles.id or 'the series'} {plain(rows.ids[series])!r}; "
                "expected one value per series; give a column that changes with --past or --future"
            )
        return found

    numbers = np.empty((len(rows.ids), len(static.numeric)))
    codes = np.empty((len(rows.ids), len(static.categorical)), np.int32)
    for k, name in enumerate(static.numeric):
        numbers[:, k] = told(table.numbers[:, k], ~np.isnan(table.numbers[:, k]), name)
    for k, name in enumerate(static.categorical):
        codes[:, k] = told(table.codes[:, k], table.codes[:, k] >= 0, name)
    return replace(static, numbers=numbers, codes=codes)


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


def _names(ids: np.ndarray, roles: Roles) -> np.ndarray:
    if len(roles.target) == 1:
        return ids if roles.id else np.array([roles.target[0]], object)
    if roles.id is None:
        return np.array(roles.target, object)
    return np.array([f"{id}/{target}" for id in ids for target in roles.target], object)
