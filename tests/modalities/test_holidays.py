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


def shop(place: str, first: dt.date, end: dt.date, series: int = 4) -> pl.DataFrame:
    """Sales with a week and noise of a tenth, which fall to a third on holidays."""
    days = (end - first).days
    dates = [first + dt.timedelta(days=k) for k in range(days)]
    low = int(np.datetime64(first, "D").astype(int))
    free = _holidays.days(place, low, low + days - 1).real > 0
    rng = np.random.default_rng(0)
    week = 0.4 * np.sin(2 * np.pi * np.arange(days) / 7) + np.where(free, -np.log(3), 0)
    y = 30 * np.arange(1, series + 1)[:, None] * np.exp(week + 0.1 * rng.normal(size=(series, days)))
    names = np.repeat([f"s{k}" for k in range(series)], days)
    return pl.DataFrame({"unique_id": names, "ds": dates * series, "free": np.tile(free, series), "y": y.ravel()})


def few(days: int) -> pl.DataFrame:
    first = dt.date(2021, 1, 1)
    return shop("US", first, first + dt.timedelta(days=days), series=1).drop("free")


@pytest.mark.slow
def test_a_planted_effect_is_found_where_holidays_move():
    """Most holidays of Singapore follow the moon: neither weekday nor day of the year tells those of the next year."""
    table = shop("SG", dt.date(2017, 1, 1), dt.date(2024, 1, 1))
    free, table = table.select("unique_id", "ds", "free"), table.drop("free")
    before = table.filter(pl.col("ds") < dt.date(2023, 1, 1))
    told = QUICK | {"steps": 400, "width": 16, "batch": 32, "copies": 0, "learning_rate": 8e-3}
    errors = []
    for place in ("SG", None):
        found = saiki.train("forecast", before, holidays=place, **told).cross_validation(
            table, windows=52, step=7, baselines=[]
        )
        away = found.join(free, on=["unique_id", "ds"]).with_columns(away=(pl.col("saiki") / pl.col("y") - 1).abs())
        errors.append({key: away.filter(pl.col("free") == key)["away"].mean() for key in (True, False)})
    with_it, without = errors
    assert with_it[True] < 0.3  # the noise alone makes 0.08; who knows nothing of the day is off by 2
    assert with_it[True] < without[True] / 3
    assert with_it[False] < 0.12  # other days are forecast as well as without
    assert without[False] < 0.12


@pytest.mark.slow
def test_a_stream_knows_them_and_a_saved_model_keeps_them(tmp_path):
    table = few(120)
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
        saiki.train("forecast", few(60), holidays=place, **QUICK)


def test_without_dates_there_are_no_holidays():
    from saiki.tasks.forecast import toy

    with pytest.raises(OptionError, match="steps of a day or less"):
        saiki.train("forecast", toy(0, series=1, steps=60), holidays="US", **QUICK)
