"""Text as times: what is understood, what is left alone, and that nothing is guessed."""

from datetime import datetime

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from saiki.data.clock import unclock
from saiki.data.panel import panel
from saiki.readers import parse_times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-04-30", datetime(2021, 4, 30)),
        ("2021/04/30", datetime(2021, 4, 30)),
        ("1949-03", datetime(1949, 3, 1)),
        ("1949M03", datetime(1949, 3, 1)),
        ("3/1949", datetime(1949, 3, 1)),
        ("Mar 1949", datetime(1949, 3, 1)),
        ("Dec-1949", datetime(1949, 12, 1)),
        ("2021Q2", datetime(2021, 4, 1)),
        ("2021-Q4", datetime(2021, 10, 1)),
        ("Q2 2021", datetime(2021, 4, 1)),
        ("September 1949", datetime(1949, 9, 1)),
        ("2004-W53", datetime(2004, 12, 27)),
        ("2000W01", datetime(2000, 1, 3)),
        ("20210430", datetime(2021, 4, 30)),
        ("2021-04-30 13:05", datetime(2021, 4, 30, 13, 5)),
        ("2021-04-30T13:05:09", datetime(2021, 4, 30, 13, 5, 9)),
        ("2021-04-30 13:05:09.25", datetime(2021, 4, 30, 13, 5, 9, 250_000)),
        ("2021-04-30T13:05:09Z", datetime(2021, 4, 30, 13, 5, 9)),
        ("2021-04-30T13:05:09+02:00", datetime(2021, 4, 30, 11, 5, 9)),
        ("2021-04-30 13:05:09-0330", datetime(2021, 4, 30, 16, 35, 9)),
        ("30.04.2021", datetime(2021, 4, 30)),
        ("04/30/2021", datetime(2021, 4, 30)),
        ("30/04/2021", datetime(2021, 4, 30)),
        ("4/30/99", datetime(1999, 4, 30)),
        ("30/04/2021 7:30", datetime(2021, 4, 30, 7, 30)),
        (" 2021-04-30 ", datetime(2021, 4, 30)),
    ],
)
def test_understood(text, expected):
    times = parse_times(pl.Series([text, None]))
    assert times is not None
    assert (
        times.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if times.dtype.time_zone else times
    ).to_list() == [
        expected,
        None,
    ]


def test_months_by_their_whole_names():
    months = parse_times(pl.Series(["May 2000", "June 2000"]))
    assert months is not None
    assert months.dt.month().to_list() == [5, 6]
    assert parse_times(pl.Series(["2000-01", "2001-02", "2002-03"])) is None, (
        "years that begin in one and end in the next"
    )
    assert parse_times(pl.Series(["2000-W52", "2001-W53"])) is None, "2001 has 52 weeks"


@pytest.mark.parametrize(
    ("texts", "zone", "first"),
    [
        (["2024-01-01 10:00+02:00", "2024-01-01 11:00+02:00"], "Etc/GMT-2", 10),
        (["2024-01-01 10:00-05:00", "2024-01-01 11:00-05:00"], "Etc/GMT+5", 10),
        (["2024-03-31 01:00+01:00", "2024-03-31 03:00+02:00"], "UTC", 0),
        (["2024-01-01 10:00+05:30", "2024-01-01 11:00+05:30"], "UTC", 4),
        (["2024-01-01 10:00Z", "2024-01-01 11:00Z"], "UTC", 10),
        (["2024-03-31 00:00+01:00", "2024-04-01 00:00+02:00"], None, 0),
    ],
)
def test_offsets_are_kept_and_days_are_days_of_the_local_clock(texts, zone, first):
    times = parse_times(pl.Series(texts))
    assert times.dtype.time_zone == zone
    assert times[0].hour == first
    if zone is None:
        assert (times[1] - times[0]).days == 1
        assert parse_times(pl.Series(texts), midnights=False).dtype.time_zone == "UTC"


@pytest.mark.parametrize("text", ["spring", "1-01", "12", "2021-13-01", "2021-02-30", "H1", "", "03/04/2021"])
def test_left_alone(text):
    assert parse_times(pl.Series([text])) is None


def test_one_value_that_is_no_time_leaves_the_column_alone():
    assert parse_times(pl.Series(["2021-04-30", "soon"])) is None
    assert parse_times(pl.Series(["2021-04-30 10:00Z", "2021-04-30 11:00"])) is None


def test_day_and_month_are_told_apart_by_the_column():
    times = parse_times(pl.Series(["03/04/2021", "25/04/2021"]))
    assert times is not None
    assert times[0] == datetime(2021, 4, 3)


@given(st.lists(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1)), min_size=1))
def test_iso_text_is_read_back(times):
    text = pl.Series([t.strftime("%Y-%m-%dT%H:%M:%S.%f") for t in times])
    assert parse_times(text).to_list() == times


def test_weeks_as_whole_numbers_go_over_the_year():
    weeks = pl.DataFrame({"ds": [202050, 202051, 202052, 202053, 202101, 202102], "y": range(6)})
    read = panel(weeks)
    assert read.frequency.name == "W-MON" or read.frequency.name.startswith("W")
    assert unclock(read.future_times(2)[0], read.clock, "ds").to_list() == [202103, 202104]
