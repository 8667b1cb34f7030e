"""Where a time lies in the day, the week, the month and the year, as points on circles."""

from __future__ import annotations

from functools import cache

import numpy as np

HOUR, DAY = 3600 * 10**6, 86_400 * 10**6  # microseconds
#: cycle -> points on its circle
CYCLES = {"minute-of-hour": 60, "hour-of-day": 24, "day-of-week": 7, "day-of-month": 31, "day-of-year": 366,
          "month-of-year": 12}  # fmt: skip


def cycles(unit: str, count: int) -> tuple[str, ...]:
    """The cycles in which steps of this frequency (`Frequency.unit`, `count`) fall on different points."""
    if unit == "integer":
        return ()
    if unit == "month":
        return ("month-of-year",) if count % 12 else ()
    step = DAY if unit == "business" else count
    if step >= 7 * DAY:
        return ("day-of-year",)
    found = ["day-of-week", "day-of-month", "day-of-year"]
    if step < DAY:
        found.insert(0, "hour-of-day")
    if step < HOUR:
        found.insert(0, "minute-of-hour")
    return tuple(found)


def calendar(times: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Sine and cosine of each cycle: `[…, 2 · cycles]` float32 from datetime64[us] `[…]`."""
    features = np.empty((*times.shape, 2 * len(names)), np.float32)
    if not names or not times.size:
        return features
    moment = times.astype("datetime64[us]").astype(np.int64)
    day = moment // DAY
    low, high = int(day.min()), int(day.max())
    for k, name in enumerate(names):
        if name == "minute-of-hour":
            point = moment // (60 * 10**6) % 60
        elif name == "hour-of-day":
            point = moment // HOUR % 24
        else:  # a table of the days that occur: calendars are slow to compute and quick to look up
            point = _of_day(name, np.arange(low, high + 1))[day - low]
        features[..., 2 * k : 2 * k + 2] = _circle(CYCLES[name])[point]
    return features


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
    angle = 2 * np.pi * np.arange(points) / points
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
