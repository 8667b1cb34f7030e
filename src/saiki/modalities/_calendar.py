"""Where a time lies in the hour, the day, the week, the month and the year, as points on circles."""

from __future__ import annotations

from functools import cache

import numpy as np

from saiki.modalities import _holidays

MINUTE, HOUR, DAY = 60 * 10**6, 3600 * 10**6, 86_400 * 10**6  # microseconds
#: cycle -> points on its circle
CYCLES = {
    "minute-of-hour": 60,
    "hour-of-day": 24,
    "day-of-week": 7,
    "day-of-month": 31,
    "day-of-year": 366,
    "month-of-year": 12,
}
_WITHIN_DAY = ("minute-of-hour", "hour-of-day")


def cycles(unit: str, count: int) -> tuple[str, ...]:
    """The cycles in which steps of this frequency (`Frequency.unit`, `count`) fall on different points."""
    if unit == "integer":
        return ()
    if unit == "month":
        return ("month-of-year",) if count % 12 else ()
    step = DAY if unit == "business" else count
    if step >= 7 * DAY:
        return ("day-of-year",)
    within = _WITHIN_DAY if step < HOUR else _WITHIN_DAY[1:] if step < DAY else ()
    return (*within, "day-of-week", "day-of-month", "day-of-year")


def calendar(times: np.ndarray, names: tuple[str, ...], zone: str | None = None) -> np.ndarray:
    """Sine and cosine of each cycle, or a day's two flags of holidays: `[…, 2 · cycles]` float32 from datetime64[us] `[…]`.

    With a zone, times are UTC and their places those on its clocks.
    """
    if not names or not times.size:
        return np.zeros((*times.shape, 2 * len(names)), np.float32)
    moment = times.astype("datetime64[us]").astype(np.int64)
    if zone is not None:
        moment = moment + _ahead_of_utc(zone, moment)
    day = moment // DAY
    low, high = int(day.min()), int(day.max())
    # A pair is one complex number here, so that it is looked up and written at once.
    pairs = np.empty((*times.shape, len(names)), np.complex64)
    for k, name in enumerate(names):
        if name in _WITHIN_DAY:
            point = (moment - day * DAY) // (HOUR if name == "hour-of-day" else MINUTE)
            pairs[..., k] = _circle(CYCLES[name])[point % CYCLES[name]]
        elif name.startswith(_holidays.PREFIX):
            pairs[..., k] = _holidays.days(name.removeprefix(_holidays.PREFIX), low, high)[day - low]
        else:  # calendars are slow to compute: once for each day that occurs
            days = _circle(CYCLES[name])[_of_day(name, np.arange(low, high + 1))]
            pairs[..., k] = days[day - low]
    return pairs.view(np.float32)


def _ahead_of_utc(zone: str, moment: np.ndarray) -> np.ndarray:
    """How far the clocks of a zone are ahead at these moments, microseconds all, to the hour in which they are put forward."""
    year = 366 * DAY
    first, last = int(moment.min()) // year, int(moment.max()) // year
    return _clock(zone, first, last)[(moment - first * year) // HOUR]


@cache
def _clock(zone: str, first: int, last: int) -> np.ndarray:
    """How far clocks are ahead in every hour of these stretches of 366 days since 1970."""
    import polars as pl

    hours = np.arange(first * 366 * DAY, (last + 1) * 366 * DAY, HOUR).astype("datetime64[us]")
    local = pl.Series(hours).dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return (local.to_numpy() - hours).astype("timedelta64[us]").astype(np.int64)


def _of_day(name: str, days: np.ndarray) -> np.ndarray:
    if name == "day-of-week":
        return (days + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    dates = days.astype("datetime64[D]")
    if name == "month-of-year":
        return dates.astype("datetime64[M]").astype(np.int64) % 12
    start = dates.astype("datetime64[M]" if name == "day-of-month" else "datetime64[Y]").astype("datetime64[D]")
    return (dates - start).astype(np.int64)


@cache
def _circle(points: int) -> np.ndarray:
    """sin + i cos of each point."""
    angle = 2 * np.pi * np.arange(points) / points
    return (np.sin(angle) + 1j * np.cos(angle)).astype(np.complex64)
