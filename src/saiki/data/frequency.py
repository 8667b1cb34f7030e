"""The step between the rows of a series: a fixed time, calendar months, business days, or an integer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from saiki.errors import OptionError

#: microseconds
SECOND, MINUTE, HOUR, DAY, WEEK = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6, 7 * 86_400 * 10**6
_TIME = {"W": WEEK, "D": DAY, "h": HOUR, "min": MINUTE, "s": SECOND, "ms": 1000, "us": 1}
#: months in a step of months; its name goes on with S (start) or E (end), and B before it means business days
_MONTHS = {"Y": 12, "Q": 3, "M": 1}
#: other spellings: pandas of old, polars
_ALSO = {
    "H": "h", "T": "min", "S": "s", "L": "ms", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE", "AS": "YS", "BM": "BME",
    "BQ": "BQE", "BY": "BYE", "BA": "BYE", "BAS": "BYS", "w": "W", "d": "D", "m": "min", "mo": "MS", "q": "QS", "y": "YS",
}  # fmt: skip
#: the longest step: a thousand years; times have 64 bits
LONGEST = {"time": 365_250 * DAY, "month": 12_000, "integer": 2**40}
_KNOWN = "W D h min s ms us B MS ME QS QE YS YE BMS BME BQS BQE BYS BYE"


@dataclass(frozen=True)
class Frequency:
    """One step of a series.

    unit     "time" (microseconds), "month", "business" (Monday to Friday) or "integer"
    count    how many of the unit make a step
    end      months: every step falls on the last day of its month
    working  months: on its first business day, or with `end` on its last
    regular  every row lies one step after the row before it
    """

    unit: str
    count: int
    end: bool = False
    working: bool = False
    regular: bool = True

    @property
    def days(self) -> bool:
        """Whether a step is a day or whole days, or longer: regular on the local clock, not in UTC."""
        return self.unit in ("month", "business") or (self.unit == "time" and self.count % DAY == 0)

    @classmethod
    def parse(cls, text: str | int) -> Frequency:
        """From `h`, `15min`, `D`, `B`, `W`, `MS`, `ME`, `QS`, `YS`, `2`, … (the names of pandas, polars' too)."""
        match = re.fullmatch(r"(\d*\.?\d*)([A-Za-z]*)(-[A-Z]{3})?", str(text).strip())
        frequency = cls._named(match[1], _ALSO.get(match[2], match[2])) if match else None
        if frequency is None:
            raise OptionError(
                f"frequency {str(text)!r} has no meaning (expected one of {_KNOWN}, with a count before it, "
                "such as 15min; an integer for integer time)"
            )
        if frequency.count > LONGEST.get(frequency.unit, frequency.count):
            raise OptionError(f"frequency {str(text)!r} is too long a step; expected a thousand years at most")
        return frequency

    @classmethod
    def _named(cls, digits: str, name: str) -> Frequency | None:
        """A count and the name of a unit as a frequency; None where they are none."""
        try:
            count = Fraction(digits or 1)
        except ValueError:  # a dot alone
            return None
        unit, months = "integer", re.fullmatch("(B?)([YQM])([SE])", name)
        working, end = (months[1] == "B", months[3] == "E") if months else (False, False)
        if months:
            unit, count = "month", count * _MONTHS[months[2]]
        elif name in _TIME:
            unit, count = "time", count * _TIME[name]
        elif name == "B" and count == 1:
            unit = "business"
        elif name or not digits:
            return None
        whole = count > 0 and count.denominator == 1
        return cls(unit, int(count), end, working) if whole else None

    @property
    def name(self) -> str:
        """The shortest name; `parse` reads it back."""
        if self.unit == "integer":
            return str(self.count)
        if self.unit == "business":
            return "B"
        if self.unit == "month":
            base = next(k for k, months in _MONTHS.items() if self.count % months == 0)
            count = self.count // _MONTHS[base]
            base = ("B" if self.working else "") + base + ("E" if self.end else "S")
        else:
            base = next(k for k, size in _TIME.items() if self.count % size == 0)
            count = self.count // _TIME[base]
        return base if count == 1 else f"{count}{base}"

    @property
    def seasons(self) -> tuple[int, ...]:
        """Steps in a minute, hour, day, week and year, as far as they are whole and at least two; () for integers."""
        if self.unit == "business":
            return (5, 252)
        if self.unit == "month":
            return (12 // self.count,) if 12 % self.count == 0 and self.count <= 6 else ()
        if self.unit == "integer":
            return ()
        found = [size // self.count for size in (MINUTE, HOUR, DAY, WEEK) if size % self.count == 0]
        if self.count >= DAY:
            found.append(int(365.25 * DAY / self.count))
        return tuple(f for f in found if f >= 2)

    def index(self, times: np.ndarray) -> np.ndarray:
        """The number of the step at each time, counted from a fixed origin: int64, like `times`."""
        if self.unit == "integer":
            return times // self.count
        if self.unit == "month":
            return times.astype("datetime64[M]").astype(np.int64) // self.count
        if self.unit == "business":
            days = times.astype("datetime64[D]")
            return np.busday_count(np.datetime64("1970-01-05"), days).astype(np.int64)
        return times.astype("datetime64[us]").astype(np.int64) // self.count

    def future(self, last: np.ndarray, horizon: int) -> np.ndarray:
        """The times of the `horizon` steps after `last`: `[…, horizon]` from `[…]`."""
        return self.later(last, np.arange(1, horizon + 1))

    def later(self, time: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The times so many steps after `time`, which lies on the grid: `[…, steps]` from `[…]`."""
        time = np.asarray(time)[..., None]
        if self.unit == "integer":
            return time + self.count * steps
        if self.unit == "time":
            return time + (self.count * steps).astype("timedelta64[us]")
        days = time.astype("datetime64[D]")
        if self.unit == "business":
            moved = np.busday_offset(days, steps, roll="backward")
        else:
            moved = self._months_later(days, self.count * steps)
        return moved.astype("datetime64[us]") + (time - days)

    def fits(self, times: np.ndarray) -> bool:
        """Whether these times can be counted in this unit at all."""
        return (self.unit == "integer") == (times.dtype.kind == "i")

    def grid(self, times: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps since `first` and whether the time lies exactly on that step's time; both like `times`."""
        if self.unit == "integer":
            return (times - first) // self.count, (times - first) % self.count == 0
        if self.unit == "time":
            passed = (times - first).astype("timedelta64[us]").astype(np.int64)
            return passed // self.count, passed % self.count == 0
        clock = times - times.astype("datetime64[D]") == first - first.astype("datetime64[D]")
        steps = self.index(times) - self.index(first)
        if self.unit == "business":
            return steps, clock & np.is_busday(times.astype("datetime64[D]"))
        months = times.astype("datetime64[M]").astype(np.int64) - first.astype("datetime64[M]").astype(np.int64)
        return months // self.count, clock & (months % self.count == 0) & self._same_day(times, first)

    def _months_later(self, days: np.ndarray, months: np.ndarray) -> np.ndarray:
        """The same day of a later month, or its last day where it is shorter; its first or last one where steps fall there."""
        month = days.astype("datetime64[M]")
        target = month + months
        if self.working or self.end:
            return self._edge(target)
        day = (days - month.astype("datetime64[D]")).astype(np.int64)
        return target.astype("datetime64[D]") + np.minimum(day, _days_in(target) - 1)

    def _edge(self, months: np.ndarray) -> np.ndarray:
        """The first or the last day, or business day, of each month."""
        if not self.end:
            first = months.astype("datetime64[D]")
            return np.busday_offset(first, 0, roll="forward") if self.working else first
        last = (months + 1).astype("datetime64[D]") - 1
        return np.busday_offset(last, 0, roll="backward") if self.working else last

    def _same_day(self, times: np.ndarray, first: np.ndarray) -> np.ndarray:
        if self.working or self.end:
            return times.astype("datetime64[D]") == self._edge(times.astype("datetime64[M]"))
        day = (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype(np.int64)
        wanted = (first.astype("datetime64[D]") - first.astype("datetime64[M]")).astype(np.int64)
        size = _days_in(times.astype("datetime64[M]"))
        return day == np.minimum(wanted, size - 1)


def infer(times: np.ndarray, lengths: np.ndarray) -> Frequency:
    """The most common step between rows of the same series (rows sorted by time; at least one series has two rows)."""
    inside = np.ones(len(times), bool)
    inside[np.cumsum(lengths)[lengths > 0] - 1] = False
    rows = np.flatnonzero(inside)
    rows = rows[:: max(1, len(rows) // 1_000_000)]  # a million pairs are enough to find the most common step
    before, after = times[rows], times[rows + 1]
    step = _mode((after - before).astype(np.int64))
    if times.dtype.kind == "i":
        return Frequency("integer", step)
    if step >= 28 * DAY:
        months = _mode((after.astype("datetime64[M]") - before.astype("datetime64[M]")).astype(np.int64))
        kinds = [Frequency("month", max(months, 1), *kind) for kind in product((True, False), (False, True))]
        fits = [monthly.grid(after, before)[1].mean() for monthly in kinds]
        if max(fits) > 0.5:
            return kinds[int(np.argmax(fits))]  # of equal ones the first: month ends, then any day
    if step == DAY and np.is_busday(after.astype("datetime64[D]")).all():
        span = (times.max() - times.min()).astype("timedelta64[D]").astype(int)
        if span >= 7:  # within one week, Monday to Friday is also plain daily
            return Frequency("business", 1)
    return Frequency("time", step)


def irregular(frequency: Frequency) -> Frequency:
    """The same step, with rows that do not keep to it."""
    return replace(frequency, regular=False)


def _mode(values: np.ndarray) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def _days_in(months: np.ndarray) -> np.ndarray:
    return ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
