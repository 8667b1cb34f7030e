"""Holidays: the days are those of the calendar, they are known ahead, and a planted effect of them is found."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.errors import OptionError
from saiki.modalities import _holidays
from saiki.modalities._calendar import calendar

pytest.importorskip("holidays", reason="the extra holidays is not installed")
QUICK = {"horizon": 7, "steps": 5, "width": 8, "layers": 1, "batch": 16, "season": 7, "refit": False}


def hours(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[us]")


def test_holidays_and_the_days_before_them():
    times = hours("2024-12-24T23:00", "2024-12-25T00:00", "2024-12-26T12:00", "2024-12-27T00:00", "2024-12-31T08:00")
    found = calendar(times, ("holidays-DE",))
    assert found.tolist() == [[0, 1], [1, 1], [1, 0], [0, 0], [0, 1]]  # 25, 26 December and 1 January


def test_a_part_of_a_country_has_its_own():
    day = hours("2024-01-06")
    assert calendar(day, ("holidays-DE-BY",))[0, 0] == 1
    assert calendar(day, ("holidays-DE",))[0, 0] == 0


def shop(days: int = 900) -> pl.DataFrame:
    """Sales that fall to a third on holidays, and nothing else happens."""
    start = dt.date(2021, 1, 1)
    dates = [start + dt.timedelta(days=k) for k in range(days)]
    low = int(np.datetime64(start, "D").astype(int))
    free = _holidays.days("US", low, low + days - 1).real > 0
    rng = np.random.default_rng(0)
    rows = [
        pl.DataFrame(
            {
                "unique_id": f"s{k}",
                "ds": dates,
                "y": 30 * (k + 1) * np.where(free, 1 / 3, 1) * (1 + 0.02 * rng.normal(size=days)),
            }
        )
        for k in range(4)
    ]
    return pl.concat(rows)


@pytest.mark.slow
def test_a_planted_effect_is_found():
    table = shop()
    before = table.filter(pl.col("ds") < dt.date(2023, 5, 26))  # Memorial Day is the 29th
    # without the calendar, from which three years of Mondays in May could be learned by heart
    told = QUICK | {"steps": 200, "width": 32, "batch": 64, "patience": 20, "loss": "mse", "calendar": False}
    with_it, without = (
        saiki.train("forecast", before, holidays=place, **told)
        .predict(before)
        .filter(pl.col("ds") == dt.date(2023, 5, 29))
        for place in ("US", None)
    )
    truth = table.filter(pl.col("ds") == dt.date(2023, 5, 29))["y"]
    errors = [(found["saiki"] / truth - 1).abs().mean() for found in (with_it, without)]
    assert errors[1] > 1.5  # without them the day is forecast like any other, at three times its sales
    assert errors[0] < 0.4


def test_a_stream_knows_them_and_a_saved_model_keeps_them(tmp_path):
    table = shop(120).filter(pl.col("unique_id") == "s0")
    model = saiki.train("forecast", table, holidays="US", out=tmp_path / "m", **QUICK)
    loaded = saiki.load(tmp_path / "m")
    assert loaded.task.codec.calendar[-1] == "holidays-US"
    stream = loaded.stream()
    for row in table.iter_rows(named=True):
        last = stream.push(row)
    np.testing.assert_allclose(last[0]["saiki"], model.predict(table)["saiki"], rtol=1e-5)


@pytest.mark.parametrize(
    ("place", "says"),
    [("XX", "no calendar of 'XX'"), ("DE-XX", "DE has no part 'XX'"), ("de", "did you mean 'DE'")],
)
def test_unknown_places_are_one_line(place, says):
    with pytest.raises(OptionError, match=says):
        saiki.train("forecast", shop(60), holidays=place, **QUICK)


def test_without_dates_there_are_no_holidays():
    from saiki.tasks.forecast import toy

    with pytest.raises(OptionError, match="steps of a day or less"):
        saiki.train("forecast", toy(0, series=1, steps=60), holidays="US", **QUICK)
