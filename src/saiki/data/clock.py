"""The time column: as NumPy times inside, and back in the type that it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from saiki.data.columns import first_null, fits_int64
from saiki.errors import DataError
from saiki.readers import first_odd, readings

#: integers that can be counted on from, and subtracted from each other, without leaving 64 bits
LATEST = 2**62
#: dates as one integer: how they are written, and the least and the greatest
DIGITS = (("%Y%m%d", 18000101, 22001231), ("%Y%m", 180001, 220012), ("%G%V", 180001, 220053))


@dataclass(frozen=True)
class Clock:
    """How the time column was written, so that forecasts come back in the same type.

    kind  "datetime", "date", "digits" (dates written as one integer), "integer" or "rows" (no time column: the order of the rows)
    unit  of a datetime "ms", "us" or "ns"; of an integer or digits their type, such as "Int64"
    form  of digits how a date is written
    zone  time zone of the column, if it had one
    wall  times are kept as local wall time (all at midnight); otherwise as UTC
    """

    kind: str
    unit: str = "us"
    zone: str | None = None
    wall: bool = False
    form: str = ""

    @property
    def absolute(self) -> bool:
        """Whether times are moments of a time zone; days of a local clock are the same days without one."""
        return self.zone is not None and not self.wall


def times(
    series: pl.Series, midnights: bool = True, counted: bool = False, after: np.datetime64 | None = None
) -> tuple[np.ndarray, Clock]:
    """A time column as datetime64[us] or int64; DataError if it holds no times or misses some.

    midnights  whether times that are all midnights of their zone are days of the local clock; no: hours, which are regular in UTC
    counted    integers are counts, even where each of them reads as a date (20210430, 202104)
    after      of texts that may be read in several ways (03/04/2021) the reading counts that comes soonest after this time
    """
    if series.dtype == pl.String:
        found = readings(series, midnights)
        if len(found) > 1 and after is not None:
            first = lambda reading: reading.dt.replace_time_zone(None).to_numpy().min()  # noqa: E731
            found = sorted((one for one in found if first(one) > after), key=first)[:1]
        series = found[0] if len(found) == 1 else series
    kind = str(series.dtype)
    if series.dtype.is_numeric() and not fits_int64(series.fill_nan(None) if series.dtype.is_float() else series):
        raise DataError(
            f"time column {series.name!r} holds {kind} beyond 64 bits; expected integers below 2**63, dates or times"
        )
    if series.dtype.is_float() and (series.drop_nulls().drop_nans() % 1 == 0).all():
        series = series.fill_nan(None).cast(pl.Int64)  # years and counters often pass through a float
    if not (series.dtype.is_integer() or series.dtype in (pl.Date, pl.Datetime)):
        _not_times(series)
    if series.null_count():
        raise DataError(
            f"time column {series.name!r}: {series.null_count()} rows have no time, the first is row "
            f"{first_null(series)}; expected a time in every row"
        )
    if series.dtype.is_integer():
        form = None if counted else digits(series)
        if form:
            return _from_digits(series, form).to_numpy().astype("datetime64[us]"), Clock(
                "digits", str(series.dtype), form=form
            )
        found = series.to_numpy().astype(np.int64)
        if len(found) and max(abs(int(found.min())), abs(int(found.max()))) > LATEST:
            raise DataError(
                f"time column {series.name!r} holds {int(found.max())}, and steps after it leave 64 bits; "
                f"expected integers within ±{LATEST}, dates or times"
            )
        return found, Clock("integer", kind)
    if series.dtype == pl.Date:
        return series.to_numpy().astype("datetime64[us]"), Clock("date")
    return _datetimes(series, midnights)


def digits(series: pl.Series) -> str | None:
    """How a column of integers writes dates, `%Y%m%d`, `%Y%m` or weeks `%G%V`; None unless each is one, from 1800 to 2200."""
    known = series.drop_nulls()
    low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)  # type: ignore[arg-type]
    forms = (form for form, first, last in DIGITS if first <= low and high <= last)
    return next((form for form in forms if not _from_digits(known, form).null_count()), None)


def _from_digits(series: pl.Series, form: str) -> pl.Series:
    """The first moment of every date, null where there is no such date."""
    text = series.cast(pl.String)
    if form == "%G%V":
        year, week = text.str.head(4), text.str.tail(2)
        return (year + "-W" + week + "-1").str.to_datetime("%G-W%V-%u", strict=False, time_unit="us")
    return (text + ("" if form == "%Y%m%d" else "01")).str.to_datetime("%Y%m%d", strict=False, time_unit="us")


def _datetimes(series: pl.Series, midnights: bool) -> tuple[np.ndarray, Clock]:
    assert isinstance(series.dtype, pl.Datetime)
    unit, zone = series.dtype.time_unit, series.dtype.time_zone
    if zone is None:
        return series.to_numpy().astype("datetime64[us]"), Clock("datetime", unit)
    # Days, weeks and months are regular on the local clock, hours are regular in UTC (summer time).
    days = series.dt.replace_time_zone(None).dt.truncate("1d")
    if midnights and (_zoned(days, zone) == series).all():
        return days.to_numpy().astype("datetime64[us]"), Clock("datetime", unit, zone, wall=True)
    utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return utc.to_numpy().astype("datetime64[us]"), Clock("datetime", unit, zone)


def shown(time: Any) -> str:
    """One time as people write it, no finer than it is: 2024-04-14, 2024-04-14 22:00; an integer as it is."""
    if not isinstance(time, np.datetime64):
        return str(time)
    for unit in ("D", "m", "s"):
        if (coarse := time.astype(f"datetime64[{unit}]")) == time:
            return str(coarse).replace("T", " ")
    return str(time).replace("T", " ")


def _zoned(local: pl.Series, zone: str) -> pl.Series:
    """Wall time in a zone; where the clock was put forward past it, the same an hour later."""
    found = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    if not found.null_count():
        return found
    later = local.dt.offset_by("1h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return found.zip_with(found.is_not_null(), later)


def _not_times(series: pl.Series) -> None:
    odd = first_odd(series)
    if series.dtype.is_float() and len(parts := (series % 1 != 0).fill_null(False).arg_true()):
        odd = int(parts[0])
    row = odd if odd is not None else int(series.is_not_null().to_numpy().argmax())
    sample = f"such as {str(series[row])!r} in row {row + 1}" if series.null_count() < len(series) else "with no values"
    raise DataError(
        f"time column {series.name!r} holds no times: got {series.dtype} {sample}; expected dates or times "
        "in one unambiguous format, such as 2021-04-30 or 2021-04-30 13:00, or integers"
    )


def unclock(times: np.ndarray, clock: Clock, name: str) -> pl.Series:
    """Times as a polars column of the type that the input had."""
    if clock.kind in ("integer", "rows"):
        column = pl.Series(name, times.astype(np.int64))
        narrow = column.cast(getattr(pl, clock.unit), strict=False) if clock.kind == "integer" else column
        return column if narrow.null_count() else narrow  # what comes after 127 is no Int8
    if clock.kind == "digits":
        written = pl.Series(name, times.astype("datetime64[us]")).dt.strftime(clock.form)
        return written.cast(pl.Int64).cast(getattr(pl, clock.unit))
    column = pl.Series(name, times.astype("datetime64[us]")).dt.cast_time_unit(clock.unit)  # type: ignore[arg-type]
    if clock.kind == "date":
        return column.cast(pl.Date)
    if clock.zone is None:
        return column
    if clock.wall:
        return _zoned(column, clock.zone)
    return column.dt.replace_time_zone("UTC").dt.convert_time_zone(clock.zone)
