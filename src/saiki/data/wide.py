"""Tables with a row per series and a column per step, as tables with a row per series and step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import narwhals as nw
import polars as pl

from saiki.data.columns import as_polars
from saiki.data.frames import native
from saiki.data.roles import TARGET, TIME, holds_times
from saiki.errors import DataError
from saiki.readers import parse_times, readings
from saiki.record import ID

#: columns of steps at least: those that are named by their times or years, and those that are numbered
FEWEST, FEWEST_NUMBERED = 3, 8
#: how a year is written that is the name of a column
YEAR = re.compile(r"(1[5-9]\d\d|2[01]\d\d)(?: \[YR\1\])?")


class Turned(NamedTuple):
    """A table with a row per series and step, and how it came to be."""

    frame: nw.DataFrame
    id: str | None  # the column that names the series; None where nothing was turned
    note: str | None = None


class _Steps(NamedTuple):
    table: pl.DataFrame  # columns `name` and `ds`
    numbered: bool = False


def by_step(
    frame: nw.DataFrame,
    id: str | None = None,
    target: Sequence[str] | str | None = None,
    time: str | None = None,
    past: nw.DataFrame | None = None,
) -> Turned:
    """The frame with a row per series and step, if it has a column per step: columns `ds`, `y`, and those that are no steps.

    id      the column that names the series; without one the first whose values are all different, and no fractions
    target  what is asked of the table, and `time` its column of times: one that has such a column is left as it is
    past    the history of the table, turned: numbered steps go on after it

    Steps are columns that are called by times (`2024-01-31`), by years with nothing but numbers in them, or by numbers behind one
    word (V2, V3, …) beside one column of text: these count from 1, and what is missing at the end of a row is no step. Raises
    DataError where no column tells the rows apart.
    """
    asked = (target,) if isinstance(target, str) else tuple(target or (TARGET,))
    own = {TIME, TARGET, time, *asked} & set(frame.columns)
    steps = None if own or asked != (TARGET,) else _steps(frame, 1 if id in frame.columns else FEWEST)
    if steps is None:
        return Turned(frame, None)
    names = steps.table["name"].to_list()
    rest = [name for name in frame.columns if name not in set(names)]
    table = pl.DataFrame([as_polars(frame[name]).alias(name) for name in frame.columns])
    table = table.with_columns(pl.selectors.float().fill_nan(None))
    if id is None or (id == ID and ID not in rest):
        found = _told_apart_by(table, rest, names)
        table, rest = (
            (table, rest) if id is None else (table.rename({found: ID}), [ID if n == found else n for n in rest])
        )
        id = found if id is None else ID
    elif id not in rest:
        raise DataError(
            f"no column {id!r} (columns: {', '.join(rest)}, and {names[0]} to {names[-1]}, which are steps)"
        )
    empty = [pl.col(name).cast(pl.Float64) for name in names if table[name].null_count() == len(table)]
    long = table.with_columns(empty).unpivot(names, index=rest, variable_name="name", value_name=TARGET)
    long = long.join(steps.table, on="name", how="left", maintain_order="left").drop("name")
    if steps.numbered:
        last = pl.col(TIME).filter(pl.col(TARGET).is_not_null()).max().over(id)
        long = long.filter(pl.col(TIME) <= last.fill_null(1))
        if past is not None and {id, TIME} <= set(past.columns):
            before = pl.DataFrame([as_polars(past[name]).alias(name) for name in (id, TIME)])
            until = before.group_by(id).agg(pl.col(TIME).max().alias("until"))
            long = (
                long.join(until, on=id, how="left")
                .with_columns(pl.col(TIME) + pl.col("until").fill_null(0))
                .drop("until")
            )
    others = [name for name in rest if name != id]
    note = f"Every row is a series, named by {id!r}, and the {len(names):,} columns {names[0]} to {names[-1]} are its steps"
    return Turned(
        nw.from_native(native(long, frame)), id, note + (f" (beside them: {', '.join(others)})." if others else ".")
    )


def _steps(frame: nw.DataFrame, fewest: int) -> _Steps | None:
    """The columns that are steps, unless there are few, or another column holds times."""
    found = _called_by_times(frame, fewest) or _called_by_years(frame, fewest) or _numbered(frame)
    if found is None:
        return None
    steps = set(found.table["name"].to_list())
    rest = (name for name in frame.columns if name not in steps)
    return None if any(holds_times(as_polars(frame[name])) for name in rest) else found


def _called_by_times(frame: nw.DataFrame, fewest: int) -> _Steps | None:
    dated = [name for name in frame.columns if re.search(r"\d", name) and readings(pl.Series([name]))]
    times = parse_times(pl.Series("name", dated, pl.String)) if len(dated) >= fewest else None
    return None if times is None else _Steps(pl.DataFrame({"name": dated, TIME: times}))


def _called_by_years(frame: nw.DataFrame, fewest: int) -> _Steps | None:
    years = {name: int(match[1]) for name in frame.columns if (match := YEAR.fullmatch(name))}
    if len(years) < max(2, fewest) or not all(_is_number(frame[name]) for name in years):
        return None
    return _Steps(pl.DataFrame({"name": list(years), TIME: list(years.values())}))


def _numbered(frame: nw.DataFrame) -> _Steps | None:
    first, *names = frame.columns
    parts = [re.fullmatch(r"([A-Za-z]\w{0,8}?)(\d+)", name) for name in names]
    if len(names) < FEWEST_NUMBERED or not all(parts) or len({part[1] for part in parts if part}) > 1:
        return None
    at = [int(part[2]) for part in parts if part]
    alone = frame[first].dtype == nw.String and frame[first].n_unique() == len(frame)
    if not alone or at != list(range(at[0], at[0] + len(at))) or not all(_is_number(frame[name]) for name in names):
        return None
    return _Steps(pl.DataFrame({"name": names, TIME: list(range(1, len(at) + 1))}), numbered=True)


def _is_number(column: nw.Series) -> bool:
    return column.dtype.is_numeric() or column.is_null().all()


def _told_apart_by(table: pl.DataFrame, rest: list[str], names: list[str]) -> str:
    """The first column with a value of its own in every row."""
    for name in rest:
        if not table.schema[name].is_float() and table[name].n_unique() == len(table) and not table[name].null_count():
            return name
    raise DataError(
        f"the columns {names[0]} to {names[-1]} are steps, so every row is a series, and no column names them "
        f"(columns: {', '.join(rest) or 'none'}); add one whose values are all different, or say which with --id "
        "(several together: --id store/item)"
    )
