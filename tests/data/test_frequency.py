"""Steps of every kind: found, named, counted, continued; pandas is the independent witness."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from saiki.data.frequency import Frequency, infer
from saiki.data.panel import panel
from saiki.errors import OptionError

NAMES = ["us", "ms", "s", "10s", "min", "5min", "15min", "h", "6h", "D", "2D", "W", "2W", "B",
         "MS", "ME", "2MS", "QS", "QE", "YS", "YE", "5YS", "BMS", "BME", "2BME", "BQE", "BYS", "1", "7"]  # fmt: skip


def dates(name, start="2019-01-31 00:00", periods=40):
    return pd.date_range(start, periods=periods, freq=name).to_numpy().astype("datetime64[us]")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_read_back(name):
    assert Frequency.parse(name).name == name


@pytest.mark.parametrize(
    ("other", "name"),
    [("H", "h"), ("15T", "15min"), ("M", "ME"), ("Q-DEC", "QE"), ("W-SUN", "W"), ("A", "YE"), ("60min", "h"),
     ("7D", "W"), ("1mo", "MS"),
     ("BM", "BME"), ("BQE-DEC", "BQE"), ("0.5h", "30min"),
     ("1.5D", "36h"), (" h ", "h"), ("3MS", "QS"), ("1h", "h"), (3, "3"), ("24h", "D")],
)  # fmt: skip
def test_other_spellings(other, name):
    assert Frequency.parse(other).name == name


@pytest.mark.parametrize(
    "name",
    [
        "s",
        "5min",
        "h",
        "6h",
        "D",
        "2D",
        "W",
        "B",
        "MS",
        "ME",
        "QS",
        "QE",
        "YS",
        "YE",
        "2MS",
        "BMS",
        "BME",
        "BQS",
        "BQE",
    ],
)
def test_the_step_is_found_counted_and_continued(name):
    times = dates(name)
    found = infer(times[:-12], np.array([len(times) - 12]))
    assert found.name == name
    np.testing.assert_array_equal(found.future(times[-13], 12), times[-12:])
    np.testing.assert_array_equal(np.diff(found.index(times)), 1)
    step, fits = found.grid(times, times[:1].repeat(len(times)))
    assert fits.all()
    np.testing.assert_array_equal(step, np.arange(len(times)))


def test_a_day_of_the_month_is_kept_and_clipped():
    monthly = Frequency.parse("MS")
    last = np.array(["2021-01-30T06:00", "2021-01-15T00:00"], "datetime64[us]")
    ahead = monthly.future(last, 2).astype("datetime64[h]").astype(str)
    assert ahead.tolist() == [["2021-02-28T06", "2021-03-30T06"], ["2021-02-15T00", "2021-03-15T00"]]


def test_off_the_grid():
    times = np.array(["2021-01-01", "2021-02-02", "2021-03-01"], "datetime64[us]")
    assert Frequency.parse("MS").grid(times, times[:1].repeat(3))[1].tolist() == [True, False, True]
    weekend = np.array(["2021-01-01", "2021-01-02", "2021-01-04"], "datetime64[us]")
    assert Frequency.parse("B").grid(weekend, weekend[:1].repeat(3))[1].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "seasons"),
    [("h", (24, 168)), ("D", (7, 365)), ("W", (52,)), ("MS", (12,)), ("QE", (4,)), ("YS", ()),
     ("5min", (12, 288, 2016)), ("30min", (2, 48, 336)), ("1", ()), ("B", (5, 252)), ("7h", (24,))],
)  # fmt: skip
def test_seasons(name, seasons):
    assert Frequency.parse(name).seasons == seasons


@pytest.mark.parametrize("name", ["99999999999D", "99999999999999999999", "1000000Y", "99999999ME"])
def test_a_step_beyond_64_bits_is_one_line(name):
    with pytest.raises(OptionError, match="too long a step"):
        Frequency.parse(name)


@pytest.mark.parametrize(
    "name", ["", ".", ".h", "0D", "-1D", "0.3us", "1.5MS", "2B", "BD", "half-hour", "1h30min", "nan", "1e3s"]
)
def test_no_step_at_all_is_one_line(name):
    with pytest.raises(OptionError, match="has no meaning"):
        Frequency.parse(name)


def test_gaps_do_not_hide_the_step():
    kept = np.r_[0:10, 12:30, 33:40]
    data = panel(pl.DataFrame({"ds": dates("B")[kept], "y": np.arange(35.0)}))
    assert (data.frequency.name, len(data.y)) == ("B", 40)
    np.testing.assert_array_equal(data.times, dates("B"))
    months = panel(pl.DataFrame({"ds": dates("ME")[kept], "y": np.arange(35.0)}))
    np.testing.assert_array_equal(months.times, dates("ME"))
