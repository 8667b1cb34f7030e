"""Events: the truth crosses a threshold, such as glucose below 70; were they foretold, how early, and how often for nothing?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from saiki.errors import OptionError


@dataclass(frozen=True)
class Event:
    """Values below (or above) a threshold; the threshold itself is none."""

    side: str
    threshold: float

    @classmethod
    def parse(cls, text: str) -> Event:
        """From `below:70` or `above:180`."""
        side, _, number = str(text).partition(":")
        try:
            threshold = float(number)
        except ValueError:
            threshold = math.nan
        if side not in ("below", "above") or not math.isfinite(threshold):
            raise OptionError(f"event is {text!r}; expected below:NUMBER or above:NUMBER, such as below:70")
        return cls(side, threshold)

    def __str__(self) -> str:
        return f"{self.side}:{self.threshold:g}"

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Where the values are beyond the threshold; nowhere where they are missing."""
        return values < self.threshold if self.side == "below" else values > self.threshold


@dataclass(frozen=True)
class Origins:
    """Where forecasts begin: one row per series and cutoff.

    series, ends  number of the series and of steps seen, `[rows]`
    last          the last value seen, `[rows]`
    truth         what came, `[rows, horizon]`
    """

    series: np.ndarray
    ends: np.ndarray
    last: np.ndarray
    truth: np.ndarray


def score(event: Event, origins: Origins, forecast: np.ndarray) -> dict[str, float]:
    """How well `forecast [rows, horizon]` foretold the events.

    Rows that begin inside an event, or whose last value is missing, have nothing to foretell and are left out. An event is its
    onset in one series; it counts once, however many rows look at it. A row gives alarm if its forecast crosses the threshold.

    events        onsets
    sensitivity   the share of them for which a row that reaches the onset gave alarm
    lead          steps from the first such alarm to the onset, the median over the events that were foretold
    false_alarms  alarms without an onset within reach; those of a series that begin within a horizon of each other are one
    steps         different steps that the rows look at and whose truth is known

    What is said of steps without a truth counts for nothing.
    """
    inside = event.holds(origins.last) | np.isnan(origins.last)
    series, ends, truth = origins.series[~inside], origins.ends[~inside], origins.truth[~inside]
    held = event.holds(truth)
    known = ~np.isnan(truth)
    alarm = np.asarray((event.holds(forecast[~inside]) & known).any(axis=1))
    horizon = truth.shape[1]
    comes = np.asarray(held.any(axis=1))
    onset = held.argmax(1)
    place = np.stack([series, ends + onset], 1)[comes]
    every, which = np.unique(place, axis=0, return_inverse=True)
    early = np.zeros(len(every), int)
    np.maximum.at(early, which.ravel(), np.where(alarm[comes], onset[comes] + 1, 0))
    nothing = alarm & ~comes
    places = np.stack([np.repeat(series, horizon), (ends[:, None] + np.arange(horizon)).ravel()], 1)
    seen = np.unique(places[known.ravel()], axis=0)
    return {
        "events": len(every),
        "sensitivity": float((early > 0).mean()) if len(every) else math.nan,
        "lead": float(np.median(early[early > 0])) if (early > 0).any() else math.nan,
        "false_alarms": _apart(series[nothing], ends[nothing], horizon),
        "steps": len(seen),
    }


def _apart(series: np.ndarray, ends: np.ndarray, horizon: int) -> int:
    """How many places there are, those of a series that lie within a horizon of the first one taken together."""
    count, last = 0, (-1, 0)
    for one, end in sorted(zip(series.tolist(), ends.tolist(), strict=True)):
        if one != last[0] or end >= last[1] + horizon:
            count, last = count + 1, (one, end)
    return count
