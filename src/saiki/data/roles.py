"""Which column of a table is what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from saiki.data.clock import digits
from saiki.errors import DataError, near_misses
from saiki.readers import parse_times
from saiki.record import ID as ID

TIME, TARGET = "ds", "y"  # the names used where none are given, beside that of the id
FORECAST = "saiki"  # the name of forecasts; those of their bounds begin with it


@dataclass(frozen=True)
class Roles:
    """Names of columns by role; `id` is None for a single series, `time` None where rows are in order of time."""

    target: tuple[str, ...]
    id: str | None = None
    time: str | None = None
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    def to_json(self) -> dict:
        """Plain data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict) -> Roles:
        """From plain data."""
        lists = {k: tuple(v) for k, v in data.items() if isinstance(v, list)}
        return cls(**{**data, **lists})

    @property
    def columns(self) -> list[str]:
        """Every column that has a role."""
        keys = [c for c in (self.id, self.time) if c is not None]
        return [*keys, *self.target, *self.past, *self.future, *self.static]


def resolve(
    table: dict[str, pl.Series],
    target: Sequence[str] | str | None,
    id: str | None,
    time: str | None,
    past: Sequence[str] | str = (),
    future: Sequence[str] | str = (),
    static: Sequence[str] | str = (),
) -> Roles:
    """The roles that were asked for, with the defaults filled in; DataError for absent and twice used columns."""
    given = _names(target) or ((TARGET,) if TARGET in table else ())
    if not given:
        raise DataError(
            f"no target column: there is no column {TARGET!r}; say which to forecast with --target "
            f"(columns: {', '.join(table)})"
        )
    id = id or (ID if ID in table else None)
    taken = {*given, *_names(past), *_names(future), *_names(static), id}
    roles = Roles(given, id, time or _time(table, taken), _names(past), _names(future), _names(static))
    for name in roles.columns:
        if name not in table:
            raise DataError(f"no column {name!r}{near_misses(name, table)} (columns: {', '.join(table)})")
    twice = [name for name, count in Counter(roles.columns).items() if count > 1]
    if twice:
        raise DataError(
            f"column {twice[0]!r} is given twice among id, time, target, past, future and static; expected one role"
        )
    for role, name in (("id", roles.id), ("time", roles.time)):
        if name and name.partition("-")[0] == FORECAST:
            raise DataError(f"the {role} column is called {name!r}, as forecasts are; give it another name")
    return roles


def _names(given: Sequence[str] | str | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _time(table: dict[str, pl.Series], taken: Iterable[str | None]) -> str | None:
    """`ds`, else the only column of times, else None."""
    if TIME in table and TIME not in taken:
        return TIME
    found = [n for n, s in table.items() if n not in taken and holds_times(s)]
    if len(found) > 1:
        raise DataError(f"several columns hold times ({', '.join(found)}); say which one with --time")
    return found[0] if found else None


def holds_times(series: pl.Series) -> bool:
    """Whether the values of a column are times."""
    if series.dtype.is_integer():
        return digits(series) == "%Y%m%d"
    return series.dtype in (pl.Date, pl.Datetime) or parse_times(series) is not None
