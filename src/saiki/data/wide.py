"""Tables with a row per series and a column per step, as tables with a row per series and step."""

from __future__ import annotations

import re
from collections.abc import Sequence

import narwhals as nw
import polars as pl

from saiki.data.columns import as_polars
from saiki.data.frames import native
from saiki.data.roles import TARGET, TIME
from saiki.errors import DataError
from saiki.readers import parse_times
from saiki.record import ID

#: columns of steps at least: those that are named by their times or years, and those that are numbered
FEWEST, FEWEST_NUMBERED = 3, 8


def by_step(frame: nw.DataFrame, id: str | None = None, target: Sequence[str] | str | None = None) -> nw.DataFrame:
    """The frame with a row per series and step, if it has a column per step: columns `ds`, `y`, and those that are no steps.

    id      the column that names the series; without one the first whose values are all different, called `unique_id` then
    target  what is asked of the table: one that has such a column is left as it is

    Steps are columns that are called by times (`2024-01-31`), by years that follow each other (1960, 1961, …) with nothing but
    numbers in them, or by numbers behind one word (V2, V3, …) beside one column of text: these count from 1, and what is missing at
    the end of a row is no step. Raises DataError where no column tells the rows apart.
    """
    asked = (target,) if isinstance(target, str) else tuple(target or (TARGET,))
    if TIME in frame.columns or any(name in frame.columns for name in (TARGET, *asked)) or asked != (TARGET,):
        return frame
    found = _named_by_times(frame)
    steps = _numbered(frame) if found is None else found
    if steps is None:
        return frame
    names = steps["name"].to_list()
    rest = [name for name in frame.columns if name not in set(names)]
    table = pl.DataFrame([as_polars(frame[name]).alias(name) for name in frame.columns])
    if id not in rest:
        id = _told_apart_by(table, rest, names)
        table, rest, id = table.rename({id: ID}), [ID if name == id else name for name in rest], ID
    empty = [pl.col(name).cast(pl.Float64) for name in names if table[name].null_count() == len(table)]
    long = table.with_columns(empty).unpivot(names, index=rest, variable_name="name", value_name=TARGET)
    long = long.join(steps, on="name", how="left", maintain_order="left").drop("name")
    if found is None:
        last = pl.col(TIME).filter(pl.col(TARGET).is_not_null()).max().over(id)
        long = long.filter(pl.col(TIME) <= last.fill_null(1))
    return nw.from_native(native(long, frame))


def _named_by_times(frame: nw.DataFrame) -> pl.DataFrame | None:
    """Columns `name` and `ds` of the columns that are called by times or years; None if they are few, or mean something else."""
    dated = pl.Series("name", [name for name in frame.columns if re.match(r"\D{0,10}\d", name)], pl.String)
    if len(dated) >= FEWEST and (times := parse_times(dated)) is not None:
        return pl.DataFrame([dated, times.alias(TIME)])
    years = [name for name in frame.columns if re.fullmatch(r"1[5-9]\d\d|2[01]\d\d", name)]
    follow = [int(year) for year in years] == list(range(int(years[0]), int(years[0]) + len(years))) if years else False
    if len(years) < FEWEST or not follow or any(not _is_number(frame[year]) for year in years):
        return None
    return pl.DataFrame({"name": years, TIME: [int(year) for year in years]})


def _numbered(frame: nw.DataFrame) -> pl.DataFrame | None:
    """The same of columns that are numbered behind one word, beside one column of text that tells the rows apart."""
    first, *names = frame.columns
    parts = [re.fullmatch(r"([A-Za-z]\w{0,8}?)(\d+)", name) for name in names]
    if len(names) < FEWEST_NUMBERED or not all(parts) or len({part[1] for part in parts if part}) > 1:
        return None
    at = [int(part[2]) for part in parts if part]
    alone = frame[first].dtype == nw.String and frame[first].n_unique() == len(frame)
    if not alone or at != list(range(at[0], at[0] + len(at))) or any(not _is_number(frame[name]) for name in names):
        return None
    return pl.DataFrame({"name": names, TIME: list(range(1, len(at) + 1))})


def _is_number(column: nw.Series) -> bool:
    return column.dtype.is_numeric() or column.is_null().all()


def _told_apart_by(table: pl.DataFrame, rest: list[str], names: list[str]) -> str:
    """The first column with a value of its own in every row."""
    for name in rest:
        if table[name].n_unique() == len(table) and not table[name].null_count():
            return name
    raise DataError(
        f"the columns {names[0]} to {names[-1]} are steps, so every row is a series, and no column names them "
        f"(columns: {', '.join(rest) or 'none'}); add one whose values are all different, or say which with --id"
    )
