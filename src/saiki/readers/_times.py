"""Text that holds times, as times."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from saiki.errors import SaikiWarning

if TYPE_CHECKING:
    import polars as pl

#: What a text must look like -> the formats that it may be in.
_FORMATS = (
    (re.compile(r"\d{4}-\d\d?-\d\d?$"), ("%Y-%m-%d",)),
    (re.compile(r"\d{4}/\d\d?/\d\d?$"), ("%Y/%m/%d",)),
    (re.compile(r"\d{4}-\d\d?$"), ("%Y-%m",)),
    (re.compile(r"\d{4}M\d\d?$"), ("%YM%m",)),
    (re.compile(r"\d\d?/\d{4}$"), ("%m/%Y",)),
    (re.compile(r"\d{4}[- ]?Q[1-4]$"), ("%Y-Q%q",)),
    (re.compile(r"Q[1-4][- /]?\d{4}$"), ("Q%q-%Y",)),
    (re.compile(r"\d{4}-?W\d\d$"), ("%G-W%V",)),
    (re.compile(r"[A-Z][a-z]{2,8}[- ]\d{4}$"), ("%b-%Y",)),
    (re.compile(r"\d{8}$"), ("%Y%m%d",)),
    (re.compile(r"\d{4}-\d\d?-\d\d?[T ]\d\d?:\d\d(Z|[+-]\d\d(:?\d\d)?)?$"), ("%Y-%m-%d %H:%M",)),
    (re.compile(r"\d{4}-\d\d?-\d\d?[T ]\d\d?:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?$"), ("%Y-%m-%d %H:%M:%S%.f",)),
    (re.compile(r"\d{4}/\d\d?/\d\d? \d\d?:\d\d$"), ("%Y/%m/%d %H:%M",)),
    (re.compile(r"\d{4}/\d\d?/\d\d? \d\d?:\d\d:\d\d$"), ("%Y/%m/%d %H:%M:%S",)),
    (re.compile(r"\d\d?\.\d\d?\.\d{4}$"), ("%d.%m.%Y",)),
    (re.compile(r"\d\d?\.\d\d?\.\d{4} \d\d?:\d\d$"), ("%d.%m.%Y %H:%M",)),
    (re.compile(r"\d\d?\.\d\d?\.\d{4} \d\d?:\d\d:\d\d$"), ("%d.%m.%Y %H:%M:%S",)),
    (re.compile(r"\d{4}\.\d\d?\.\d\d?$"), ("%Y.%m.%d",)),
    (re.compile(r"\d\d?[- ][A-Z][a-z]{2}[- ]\d{4}$"), ("%d-%b-%Y", "%d %b %Y")),
    (re.compile(r"[A-Z][a-z]{2} \d\d?, \d{4}$"), ("%b %d, %Y",)),
    (re.compile(r"\d\d?-\d\d?-\d{4}$"), ("%m-%d-%Y", "%d-%m-%Y")),
    (re.compile(r"\d\d?/\d\d?/\d{4}$"), ("%m/%d/%Y", "%d/%m/%Y")),
    (re.compile(r"\d\d?/\d\d?/\d\d$"), ("%m/%d/%y", "%d/%m/%y", "%y/%m/%d")),
    (re.compile(r"\d\d?/\d\d?/\d{4} \d\d?:\d\d$"), ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")),
    (re.compile(r"\d\d?/\d\d?/\d{4} \d\d?:\d\d:\d\d$"), ("%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S")),
    (re.compile(r"\d\d?/\d\d?/\d{4} \d\d?:\d\d [AP]M$"), ("%m/%d/%Y %I:%M %p",)),
    (re.compile(r"\d\d?/\d\d?/\d{4} \d\d?:\d\d:\d\d [AP]M$"), ("%m/%d/%Y %I:%M:%S %p",)),
)
#: forms of weeks, months and quarters -> the same text as their first day
_MONTHS = {
    "%Y-%m": lambda text: text + "-01",
    "%m/%Y": lambda text: text.str.tail(4) + "-" + text.str.head(-5) + "-01",
    "%YM%m": lambda text: text.str.replace("M", "-", literal=True) + "-01",
    "%Y-Q%q": lambda text: text.str.slice(0, 4) + text.str.tail(1).replace_strict(_QUARTERS, default=None),
    "Q%q-%Y": lambda text: text.str.tail(4) + text.str.slice(1, 1).replace_strict(_QUARTERS, default=None),
    "%G-W%V": lambda text: _weeks(text),
    "%b-%Y": lambda text: text.str.tail(4) + text.str.head(-5).replace_strict(_NAMES, default=None),
}
_QUARTERS = {str(quarter): f"-{3 * quarter - 2}-01" for quarter in range(1, 5)}
_LONG = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NAMES = {name: f"-{month}-01" for month, long in enumerate(_LONG, 1) for name in (long, long[:3])}
#: whole hours from UTC that have a zone, whose name has the other sign
HOURS = range(-12, 15)
_ZONE = r"(Z|[+-]\d\d(?::?\d\d)?)$"


def parse_times(text: pl.Series, midnights: bool = True) -> pl.Series | None:
    """Datetimes (microseconds) from text, or None when not every value is a time in one format.

    Values with offsets (`Z`, `+01:00`) are times of the zone of that offset, of UTC where offsets differ; where all are midnights
    they are days of the local clock, without a zone (not so without `midnights`). Day and month of `03/04/2021` are told apart by
    the other values of the column; where they cannot be, the answer is None: guessing would move every time.
    """
    found = readings(text, midnights)
    return found[0] if len(found) == 1 else None


def readings(text: pl.Series, midnights: bool = True) -> list[pl.Series]:
    """All ways in which every value of a text is a time in one format, as `parse_times` gives them."""
    import polars as pl

    known = text.drop_nulls()
    if text.dtype != pl.String or not len(known):
        return []
    first = known[0].strip()
    for pattern, formats in _FORMATS:
        if pattern.match(first):
            found = (_parse(text.str.strip_chars(), form, pattern, midnights) for form in formats)
            return [one for one in found if one is not None]
    return []


def first_odd(text: pl.Series) -> int | None:
    """The index of the first value that is no time written as the first one is; None if every value could be one."""
    import polars as pl

    seen = text.is_not_null().to_numpy()
    if text.dtype != pl.String or not seen.any():
        return None
    first = int(seen.argmax())
    for pattern, formats in _FORMATS:
        if pattern.match(text[first].strip()):
            odd = [seen & _moments(text.str.strip_chars(), f, pattern)[0].is_null().to_numpy() for f in formats]
            least = min(odd, key=lambda unread: unread.sum())
            return int(least.argmax()) if least.any() else None
    return first


def _parse(text: pl.Series, form: str, pattern: re.Pattern, midnights: bool) -> pl.Series | None:
    import polars as pl

    times, offset = _moments(text, form, pattern)
    if times.null_count() != text.null_count() or (form == "%Y-%m" and _spans(times)):
        return None
    if offset is None or offset.null_count() == len(offset):
        return times
    if offset.null_count() != text.null_count():
        return None  # some values with an offset and some without: not one clock
    known = times.drop_nulls()
    if midnights and (known == known.dt.truncate("1d")).all():
        return times
    away = _offsets(offset)
    hours, rest = divmod(int(away.drop_nulls()[0]), 3_600_000_000)
    if away.drop_nulls().n_unique() > 1:
        warnings.warn(
            f"Times in {text.name!r} have offsets that change, as where clocks are put forward, and are read as UTC: days and "
            "hours go by it. For those of a place give a frame whose times have its zone.",
            SaikiWarning,
            stacklevel=2,
        )
    one = away.drop_nulls().n_unique() == 1 and rest == 0 and hours in HOURS
    utc = (times - away.cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    return utc.dt.convert_time_zone(f"Etc/GMT{-hours:+d}") if one and hours else utc


def _moments(text: pl.Series, form: str, pattern: re.Pattern) -> tuple[pl.Series, pl.Series | None]:
    """The times, null where a value is not in this form, and the offsets that stand behind them."""
    if form in _MONTHS:
        text, form = _MONTHS[form](text), "%Y-%m-%d"
    zoned = "Z|" in pattern.pattern
    offset = text.str.extract(_ZONE) if zoned else None
    if offset is not None:
        text = text.str.replace(_ZONE, "").str.replace("T", " ", literal=True)
    return text.str.to_datetime(form, strict=False, time_unit="us"), offset


def _spans(months: pl.Series) -> bool:
    """Whether months are the ends of years that have two numbers, such as 2000-01, 2001-02, 2002-03."""
    known = months.drop_nulls()
    return known.n_unique() > 2 and bool((known.dt.month() == (known.dt.year() + 1) % 100).all())


def _weeks(text: pl.Series) -> pl.Series:
    """The Monday of every ISO week, `2000-W01`, as a date; null where a year has no such week."""
    monday = (text.str.slice(0, 4) + text.str.tail(2) + "1").str.to_date("%G%V%u", strict=False)
    return monday.cast(str)


def _offsets(offset: pl.Series) -> pl.Series:
    """`Z` and `±hh:mm` as microseconds."""
    import polars as pl

    digits = offset.str.replace_all("[^0-9]", "")
    part = lambda start: digits.str.slice(start, 2).cast(pl.Int64, strict=False)  # noqa: E731
    minutes = part(0) * 60 + part(2).fill_null(0)
    sign = offset.str.starts_with("-").cast(pl.Int64) * -2 + 1
    return minutes.fill_null(0) * sign * 60_000_000
