"""The table codec: fitted on the training part, back to values, plain data, blind to padding."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pydantic import ValidationError

from saiki.data.panel import panel
from saiki.data.windows import Windows
from saiki.errors import DataError
from saiki.modalities import table
from saiki.modalities._calendar import calendar
from saiki.modalities.table import TableCodec, TableOptions

NAN = np.nan


def data(**changes):
    columns = {
        "unique_id": ["a"] * 6 + ["b"] * 3,
        "ds": pl.Series([f"2021-01-0{d}" for d in (4, 5, 6, 7, 8, 9, 4, 5, 6)]).str.to_datetime(),
        "y": np.arange(9.0),
        "p": [10.0, None, 30.0, 20.0, 10, 30, 20, 20, 20],
        "k": ["u", "v", None, "u", "u", "v", "w", "u", "u"],
        "f": np.arange(9.0),
        "s": [3.0] * 6 + [5.0] * 3,
    } | changes
    return panel(pl.DataFrame(columns), past=["p", "k"], future=["f"], static=["s"])


def encode(codec, source, history=4, horizon=2):
    windows = Windows(source, history=history, horizon=horizon)
    return codec.encode(windows.cut(*windows.positions("last")))


def test_numbers_are_standardised_and_missing_ones_flagged():
    codec = table.fit(data())
    assert codec.past.mean == (20.0,)
    assert codec.past.scale == (pytest.approx(np.sqrt(400 / 8)),)
    found = encode(codec, data())
    z = 10 / np.sqrt(50)
    np.testing.assert_allclose(found["past"][0], [[z, 0], [0, 0], [-z, 0], [z, 0]], atol=1e-6)
    longer = encode(codec, data(), history=5)
    np.testing.assert_allclose(longer["past"][0, 0], [0, 1])  # missing: value 0, flag 1
    assert found["past"].dtype == np.float32


def test_every_array_has_its_shape_and_type():
    codec, source = table.fit(data()), data()
    found = encode(codec, source)
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {
        "y": (2, 4),
        "present": (2, 4),
        "target": (2, 2),
        "past": (2, 4, codec.widths["past"]),
        "past_codes": (2, 4, 1),
        "future_history": (2, 4, codec.widths["future"]),
        "future_history_codes": (2, 4, 0),
        "future_horizon": (2, 2, codec.widths["future"]),
        "future_horizon_codes": (2, 2, 0),
        "static": (2, codec.widths["static"]),
        "static_codes": (2, 0),
        "calendar_history": (2, 4, codec.widths["calendar"]),
        "calendar_horizon": (2, 2, codec.widths["calendar"]),
        "phase": (2,),
    }
    for name, array in found.items():
        values = np.float64 if name in ("y", "target") else np.float32
        assert array.dtype == (np.int64 if name.endswith("codes") or name == "phase" else values)
        assert name in ("y", "target") or np.isfinite(array).all()


def test_categories_unseen_and_missing_ones_are_zero():
    codec = table.fit(data())
    assert codec.past.values == (("u", "v", "w"),)
    assert codec.categories == {"past": (4,), "future": (), "static": ()}
    other = data(k=["u", "v", "new", None, "w", "u", "w", "u", "u"])
    assert encode(codec, other)["past_codes"][0, :, 0].tolist() == [0, 0, 3, 1]


def test_only_the_most_frequent_categories_are_kept():
    codec = table.fit(data(), TableOptions(categories=2))
    assert codec.past.values == (("u", "v"),)
    with pytest.raises(ValidationError):
        TableOptions(categories=0)


def test_what_is_encoded_is_decoded():
    source = data()
    codec = table.fit(source)
    features, codes = codec.past.encode(source.past, "past")
    back = codec.past.decode(features, codes)
    np.testing.assert_allclose(back["p"], source.past.numbers[:, 0], rtol=1e-6)
    assert back["k"].tolist() == ["u", "v", None, "u", "u", "v", "w", "u", "u"]


def test_a_codec_is_plain_data():
    codec = table.fit(data())
    again = TableCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec
    for name, array in encode(codec, data()).items():
        np.testing.assert_array_equal(array, encode(again, data())[name])


def test_nothing_belongs_to_a_series_and_nothing_comes_from_after_the_training_part():
    source = data()
    codec = table.fit(source.cut(1)[0])
    assert "'a'" not in str(codec.to_json())
    assert codec.future.mean == (pytest.approx(np.mean([0, 1, 2, 3, 4, 6, 7])),)
    assert table.fit(source).future.mean != codec.future.mean


def test_padding_never_matters():
    source = data()
    codec = table.fit(source)
    windows = Windows(source, history=8, horizon=2)
    batch = windows.cut(*windows.positions("last"))
    clean = codec.encode(batch)
    pad = ~batch.present
    batch.y[pad] = NAN
    batch.past.numbers[pad] = 1e9
    batch.past.codes[pad] = 1
    both = np.concatenate([pad, np.zeros((2, 2), bool)], axis=1)
    batch.future.numbers[both] = 1e9
    times = batch.times.copy()
    times[both] = np.datetime64("1999-12-31T23", "us")
    dirty = codec.encode(replace(batch, times=times))
    for name in clean:
        np.testing.assert_array_equal(clean[name], dirty[name])
    assert pad.any()


def test_columns_without_spread_or_values():
    codec = table.fit(data(p=[7.0] * 9))
    assert (codec.past.mean, codec.past.scale) == ((7.0,), (1.0,))
    empty = table.fit(data(p=pl.Series([None] * 9, dtype=pl.Float64)))
    assert (empty.past.mean, empty.past.scale) == ((0.0,), (1.0,))
    assert encode(empty, data(p=pl.Series([None] * 9, dtype=pl.Float64)))["past"][0, :, 1].tolist() == [1] * 4


def test_a_column_of_another_kind_is_refused():
    codec = table.fit(data())
    with pytest.raises(DataError, match="past column 'p': the model was trained on numbers there, but it holds text"):
        encode(codec, data(p=["x"] * 9))
    with pytest.raises(DataError, match="past column 'k': the model was trained on text there, but it holds numbers"):
        encode(codec, data(k=[1.0] * 9))


@pytest.mark.parametrize(
    ("freq", "cycles"),
    [
        ("30min", ["minute-of-hour", "hour-of-day", "day-of-week", "day-of-month", "day-of-year"]),
        ("h", ["hour-of-day", "day-of-week", "day-of-month", "day-of-year"]),
        ("B", ["day-of-week", "day-of-month", "day-of-year"]),
        ("W", ["day-of-year"]),
        ("MS", ["month-of-year"]),
        ("YS", []),
    ],
)
def test_calendar_features_are_those_of_pandas(freq, cycles):
    times = pd.date_range("2019-12-29", periods=400, freq=freq)
    source = panel(pl.DataFrame({"ds": times, "y": np.arange(400.0)}))
    codec = table.fit(source)
    assert list(codec.calendar) == cycles
    found = encode(codec, source, history=400, horizon=1)["calendar_history"][0]
    points = {
        "minute-of-hour": (times.minute, 60),
        "hour-of-day": (times.hour, 24),
        "day-of-week": (times.day_of_week, 7),
        "day-of-month": (times.day - 1, 31),
        "day-of-year": (times.day_of_year - 1, 366),
        "month-of-year": (times.month - 1, 12),
    }
    for k, name in enumerate(cycles):
        point, size = points[name]
        np.testing.assert_allclose(found[:, 2 * k], np.sin(2 * np.pi * point / size), atol=1e-6)
        np.testing.assert_allclose(found[:, 2 * k + 1], np.cos(2 * np.pi * point / size), atol=1e-6)


def test_no_calendar_for_integers_and_where_it_is_not_wanted():
    integers = panel(pl.DataFrame({"ds": [1, 2, 3], "y": [1.0, 2, 3]}))
    assert table.fit(integers).calendar == ()
    assert table.fit(data(), TableOptions(calendar=False)).calendar == ()


def test_hours_of_a_zone_have_the_calendar_of_its_clocks():
    hours = pl.datetime_range(pl.datetime(2024, 3, 29), pl.datetime(2024, 4, 2), "1h", time_zone="UTC", eager=True)
    zoned = hours.dt.convert_time_zone("Europe/Berlin")
    found = panel(pl.DataFrame({"ds": zoned, "y": range(len(hours))}))
    codec = table.fit(found)
    assert codec.zone == "Europe/Berlin"
    local = zoned.dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    assert (calendar(found.times, codec.calendar, codec.zone) == calendar(local, codec.calendar)).all()
    again = table.TableCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec
    days = panel(pl.DataFrame({"ds": zoned.filter(zoned.dt.hour() == 0), "y": range(4)}))
    assert table.fit(days).zone is None
