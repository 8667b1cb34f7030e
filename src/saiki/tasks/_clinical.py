"""What a clinic asks of forecasts: the zones of an error grid, and events foretold; as tables beside the usual scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from saiki import catalog
from saiki.data.frequency import DAY, MINUTE
from saiki.errors import DataError, OptionError
from saiki.metrics import _events
from saiki.metrics._events import Event, Origins
from saiki.metrics._zones import ZONES, shares
from saiki.tasks._evaluation import Table

if TYPE_CHECKING:
    from saiki.data.frequency import Frequency
    from saiki.tasks._evaluation import Evaluation

GRIDS = ("clarke", "parkes")
#: a median below this is no glucose in mg/dL; in mmol/L, 40 would be far beyond what is survived
LOWEST = 40


@dataclass(frozen=True)
class Clinical:
    """An error grid, or None, and the events that are looked for."""

    grid: str | None = None
    events: tuple[Event, ...] = ()

    @classmethod
    def of(cls, grid: str | None, event: Sequence[str] | str | None) -> Clinical:
        """From what a user gives; OptionError for what has no meaning."""
        if grid is not None and grid not in GRIDS:
            raise OptionError(f"grid is {grid!r}; expected {' or '.join(GRIDS)}")
        given = [event] if isinstance(event, str) else event or ()
        return cls(grid, tuple(Event.parse(text) for text in given))

    def add(self, found: Evaluation, forecasts: dict[str, np.ndarray], origins: Origins, frequency: Frequency) -> None:
        """Put the tables, and their numbers in `details`, into an evaluation."""
        points = {name: forecasts[name] for name in found.scores}
        if self.grid:
            self._add_grid(found, points, origins.truth)
        for event in self.events:
            _add_event(found, event, points, origins, frequency)

    def _add_grid(self, found: Evaluation, points: dict[str, np.ndarray], truth: np.ndarray) -> None:
        assert self.grid is not None
        middle = float(np.nanmedian(truth)) if np.isfinite(truth).any() else np.inf
        if middle < LOWEST:
            raise DataError(
                f"the median of the truth is {middle:.3g}; --grid {self.grid} expects glucose in mg/dL: multiply mmol/L by 18.02"
            )
        zones = catalog.load("metrics", self.grid).zones
        by_name = {name: shares(zones(truth, forecast)) for name, forecast in points.items()}
        rows = [[name, *(f"{share:.2%}" for share in (*of, of[:2].sum()))] for name, of in by_name.items()]
        note = "Shares of all steps, in mg/dL; A does no harm, E is dangerous."
        found.tables.append(Table(f"Error grid ({self.grid})", ["", *ZONES, "A + B"], rows, note))
        found.details["grid"] = {
            name: dict(zip(ZONES, map(float, of), strict=True)) for name, of in by_name.items()
        } | {"name": self.grid}


def _add_event(
    found: Evaluation, event: Event, points: dict[str, np.ndarray], origins: Origins, frequency: Frequency
) -> None:
    """Sensitivity, lead time and false alarms of every forecast; per day where a step is a length of time."""
    step = frequency.count if frequency.unit == "time" else None
    per = DAY / step if step else 1000.0
    unit, word = ("min", "day") if step else ("steps", "1,000 steps")
    rows, details = [], {}
    for name, forecast in points.items():
        of: dict[str, Any] = _events.score(event, origins, forecast)
        lead = of["lead"] * (step / MINUTE if step else 1)
        alarms = of["false_alarms"] / of["steps"] * per if of["steps"] else np.nan
        shown = ((of["sensitivity"], "{:.1%}"), (lead, f"{{:.4g}} {unit}"), (alarms, "{:.3g}"))
        rows.append([name, *(form.format(value) if np.isfinite(value) else "–" for value, form in shown)])
        details[name] = of | {"lead_time": lead, "lead_unit": unit, "false_alarm_rate": alarms, "rate_per": word}
    count = next(iter(details.values()))["events"]
    note = (
        f"{count} event{'s' * (count != 1)} began in what was judged, each counted once. Foretold: an alarm before it, within "
        f"reach; lead time: median. Rows that begin inside an event are left out."
    )
    table = Table(f"Event {event}", ["", "foretold", "lead time", f"false alarms per {word}"], rows, note)
    found.tables.append(table)
    found.details.setdefault("events", {})[str(event)] = _plain(details)


def _plain(details: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without what JSON does not have."""
    clean = lambda v: None if isinstance(v, float) and not np.isfinite(v) else v  # noqa: E731
    return {name: {k: clean(v) for k, v in of.items()} for name, of in details.items()}
