"""Public holidays of a country, known ahead: whether a day is one, and whether the day after it is."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from saiki.errors import MissingExtraError, OptionError, near_misses

#: what the name of such a cycle begins with; the country follows
PREFIX = "holidays-"


def check(place: str) -> str:
    """The place, such as DE or DE-BY (a country, or a part of it); OptionError for one without a calendar."""
    _calendar(place, 2020)
    return place


def days(place: str, low: int, high: int) -> np.ndarray:
    """Days since 1970 from `low` to `high`: 1 for a holiday, plus i on the day before one. `[high - low + 1]` complex64."""
    first, last = (int(str(np.datetime64(day, "D"))[:4]) for day in (low, high + 1))
    known = np.concatenate([_of_year(place, year) for year in range(first, last + 1)])
    free = np.isin(np.arange(low, high + 2), known)
    return (free[:-1] + 1j * free[1:]).astype(np.complex64)


@cache
def _of_year(place: str, year: int) -> np.ndarray:
    """The holidays of a year, as days since 1970."""
    return np.array(sorted(_calendar(place, year)), "datetime64[D]").astype(np.int64)


def _calendar(place: str, year: int) -> Any:
    try:
        import holidays
    except ImportError as error:
        raise MissingExtraError("holidays", "holidays", "--holidays") from error
    country, _, part = place.partition("-")
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        raise OptionError(
            f"holidays: no calendar of {country!r}{near_misses(country, known)}; expected a country such as DE or DE-BY"
        )
    if part and part not in known[country]:
        parts = ", ".join(known[country]) or "none"
        raise OptionError(f"holidays: {country} has no part {part!r}; expected one of {parts}, or {country} alone")
    return holidays.country_holidays(country, subdiv=part or None, years=year)
