"""Error grids against points placed by hand in every zone, and events against a small story."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saiki.errors import OptionError
from saiki.metrics import _events, clarke, parkes
from saiki.metrics._events import Event, Origins
from saiki.metrics._zones import ZONES, shares

NAN = math.nan
#: (truth, forecast, zone), mg/dL; worked out from the lines of the printed grids
CLARKE = [
    (100, 100, "A"), (100, 119, "A"), (100, 81, "A"), (60, 50, "A"), (40, 69, "A"), (300, 241, "A"),
    (100, 130, "B"), (100, 60, "B"), (200, 300, "B"), (200, 130, "B"), (230, 100, "B"),  # 230 < 240: not D yet
    (100, 215, "C"), (150, 265, "C"), (170, 50, "C"),  # 7/5 · 170 - 182 = 56 ≥ 50
    (150, 29, "B"),  # 7/5 · 150 - 182 = 28 < 29
    (60, 100, "D"), (50, 179, "D"), (300, 100, "D"), (241, 180, "D"),
    (60, 200, "E"), (200, 60, "E"), (400, 70, "E"),
]  # fmt: skip
PARKES = [
    (100, 100, "A"), (20, 49, "A"), (210, 270, "A"),  # between (140, 170) and (280, 380): 275 at 210
    (210, 280, "B"), (20, 55, "B"), (110, 80, "B"),  # on the lower side the line is at 30 + 80 · 115 / 120 = 82.3 … for r = 102.2
    (20, 61, "C"), (60, 100, "C"), (190, 60, "C"),  # (120, 30) to (260, 130): at f = 60 the line is at r = 162
    (70, 109, "B"), (165, 325, "B"), (165, 335, "C"),  # (70, 110) to (260, 550): 330 at 165
    (20, 101, "D"), (65, 175, "D"), (400, 90, "D"),  # (250, 40) to (550, 150): at f = 90 r = 386.4
    (380, 90, "C"), (20, 160, "E"), (42.5, 360, "E"), (42.5, 350, "D"),  # (35, 155) to (50, 550): 352.5 at 42.5
    (600, 630, "A"), (430, 551, "B"),
]  # fmt: skip


@pytest.mark.parametrize(("grid", "points"), [(clarke, CLARKE), (parkes, PARKES)], ids=["clarke", "parkes"])
def test_points_of_every_zone(grid, points):
    truth, forecast, zones = zip(*points, strict=True)
    found = [ZONES[k] for k in grid.zones(np.array(truth, float), np.array(forecast, float))]
    assert found == list(zones)
    assert set(zones) == set(ZONES)
    assert grid.score(np.array(truth, float), np.array(forecast, float)) == pytest.approx(zones.count("A") / len(zones))


@pytest.mark.parametrize("grid", [clarke, parkes])
def test_a_right_forecast_is_in_zone_a_and_what_is_missing_in_none(grid):
    right = np.linspace(20, 600, 100)
    assert (grid.zones(right, right) == 0).all()
    assert grid.zones(np.array([NAN, 100]), np.array([100, NAN])).tolist() == [-1, -1]
    assert np.isnan(shares(grid.zones(np.array([NAN]), np.array([1.0])))).all()


def test_events_of_a_story():
    """One series, seen every step: 90 80 | 75 65 60 80 90 85, and an event below 70 begins at step 3."""
    y = np.array([90, 80, 75, 65, 60, 80, 90, 85, 88.0])
    ends = np.array([1, 2, 3, 4, 5, 6])
    truth = np.stack([y[e : e + 3] for e in ends])  # the rows from 1, 2, 3 reach the onset at step 3
    origins = Origins(np.zeros(6, int), ends, y[ends - 1], truth)
    forecast = np.full((6, 3), 100.0)
    quiet = _events.score(Event.parse("below:70"), origins, forecast)
    assert (quiet["events"], quiet["sensitivity"], quiet["false_alarms"]) == (1, 0.0, 0)
    assert math.isnan(quiet["lead"])
    forecast[1, 2] = 69  # alarm after two steps seen, for step 4: the event begins at step 3, the second one ahead
    forecast[5, 0] = 50  # alarm for nothing
    found = _events.score(Event.parse("below:70"), origins, forecast)
    assert (found["sensitivity"], found["lead"], found["false_alarms"]) == (1.0, 2.0, 1)
    assert found["steps"] == 8  # steps 1 to 8: the rows from 4 and 5 begin inside the event and are left out
    assert _events.score(Event.parse("above:200"), origins, forecast)["events"] == 0


def test_false_alarms_within_a_horizon_are_one():
    ends = np.arange(1, 9)
    origins = Origins(np.zeros(8, int), ends, np.full(8, 100.0), np.full((8, 3), 100.0))
    assert _events.score(Event("below", 70), origins, np.full((8, 3), 60.0))["false_alarms"] == 3  # at 1, 4 and 7


@pytest.mark.parametrize("text", ["70", "under:70", "below:", "below:low", "above:inf"])
def test_what_is_no_event(text):
    with pytest.raises(OptionError, match="expected below:NUMBER or above:NUMBER"):
        Event.parse(text)


def test_alarms_where_the_truth_is_missing_count_for_nothing():
    truth = np.array([[np.nan, np.nan, 100.0]])
    origins = Origins(np.zeros(1, int), np.ones(1, int), np.array([90.0]), truth)
    quiet = _events.score(Event("below", 70), origins, np.array([[60.0, 60.0, 100.0]]))
    assert (quiet["false_alarms"], quiet["steps"]) == (0, 1)
    assert _events.score(Event("below", 70), origins, np.array([[100.0, 100.0, 60.0]]))["false_alarms"] == 1
