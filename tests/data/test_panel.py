"""What a table becomes: order, types, gaps, several targets, covariates, and the cases that must work."""

from dataclasses import fields

import hypothesis.strategies as st
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings

from saiki.data.clock import unclock
from saiki.data.columns import Columns
from saiki.data.panel import Panel, panel

NAN = np.nan


@st.composite
def tables(draw):
    """Long tables with covariates of every role, missing values and gaps in time."""
    rows = []
    for id in draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)):
        size = draw(st.integers(2, 12))
        for t in sorted(draw(st.lists(st.integers(0, 15), min_size=size, max_size=size, unique=True))):
            y = draw(st.one_of(st.none(), st.integers(-5, 5).map(float)))
            rows.append((id, t, y, float(t % 3), draw(st.sampled_from(["x", "y", None])), id.upper()))
    return pl.DataFrame(rows, ["unique_id", "ds", "y", "f", "p", "s"], orient="row", schema_overrides={"y": pl.Float64})


ROLES = {"past": ["p"], "future": ["f"], "static": ["s"]}


def same(a: Panel, b: Panel) -> bool:
    """Whether all arrays are equal, NaN like NaN."""

    def equal(x, y):
        if isinstance(x, Columns):
            return all(equal(getattr(x, f.name), getattr(y, f.name)) for f in fields(Columns))
        return np.array_equal(x, y, equal_nan=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x == y

    return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Panel))


@given(tables(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_rows_in_any_order_give_the_same_panel(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    assert same(panel(table, **ROLES), panel(table[order], **ROLES))


@given(tables())
@settings(deadline=None)
def test_null_is_nan_and_every_library_gives_the_same_panel(table):
    wanted = panel(table, **ROLES)
    assert same(wanted, panel(table.with_columns(pl.col("y").fill_null(NAN)), **ROLES))
    assert same(wanted, panel(table.to_pandas(), **ROLES))
    assert same(wanted, panel(nw.from_native(table.lazy()), **ROLES))
    arrow = panel(table.to_arrow(), **ROLES)
    assert same(wanted, arrow)


def test_the_comparison_can_fail():
    table = pl.DataFrame({"unique_id": ["a", "a", "b", "b"], "ds": [1, 2, 1, 2], "y": [1.0, 2, 3, 4]})
    assert not same(panel(table), panel(table.with_columns(y=pl.Series([1.0, 2, 4, 3]))))


def test_pandas_types_that_are_not_numpy_s():
    table = pd.DataFrame(
        {
            "unique_id": pd.Categorical(["b", "b", "a", "a"]),
            "ds": [2, 1, 1, 2],
            "y": pd.array([1, None, 3, 4], dtype="Int64"),
            "k": ["u", None, "v", "u"],
        }
    )
    data = panel(table, past=["k"])
    assert data.ids.tolist() == ["a", "b"]
    np.testing.assert_array_equal(data.y, [3, 4, NAN, 1])
    assert data.past.values == (("u", "v"),)
    assert data.past.codes[:, 0].tolist() == [1, 0, -1, 0]


def test_wide_tables_and_several_targets_of_several_ids():
    times = pd.date_range("2021-01-01", periods=3, freq="h")
    data = panel(pl.DataFrame({"date": times, "u": [1.0, 2, 3], "v": [4.0, 5, 6]}), target=["v", "u"])
    assert data.ids.tolist() == ["v", "u"]
    assert data.y.tolist() == [4, 5, 6, 1, 2, 3]
    assert data.frequency.name == "h"
    long = pl.DataFrame({"unique_id": [2, 2, 1, 1], "ds": [1, 2, 1, 2], "u": [1, 2, 3, 4], "v": [5, 6, 7, 8]})
    data = panel(long, target=["u", "v"], past=[])
    assert data.ids.tolist() == ["1/u", "1/v", "2/u", "2/v"]
    assert data.y.tolist() == [3, 4, 7, 8, 1, 2, 5, 6]


def test_defaults_and_no_column_of_times():
    data = panel(pl.DataFrame({"y": [3.0, 1, 2]}))
    assert data.ids.tolist() == ["y"]
    assert data.times.tolist() == [0, 1, 2]
    assert "order of the rows" in data.notes[0]
    ids = pl.DataFrame({"shop": [5, 3, 5, 3], "sales": [1.0, 2, 3, 4]})
    data = panel(ids, id="shop", target="sales")
    assert data.ids.tolist() == [3, 5]
    assert data.y.tolist() == [2, 4, 1, 3]
    assert data.times.tolist() == [0, 1, 0, 1]


def test_a_text_column_of_times_is_found_in_any_frame():
    data = panel(pd.DataFrame({"when": ["2021-02-01", "2021-01-01", "2021-03-01"], "y": [2, 1, 3]}))
    assert data.roles.time == "when"
    assert data.y.tolist() == [1, 2, 3]
    assert data.frequency.name == "MS"


def test_times_with_a_zone():
    hours = pl.datetime_range(
        pl.datetime(2021, 3, 27), pl.datetime(2021, 3, 29), "1h", time_zone="Europe/Berlin", eager=True
    )
    data = panel(pl.DataFrame({"ds": hours, "y": range(len(hours))}))
    assert data.frequency.regular  # through the change to summer time
    days = pl.datetime_range(
        pl.datetime(2021, 3, 20), pl.datetime(2021, 4, 9), "1d", time_zone="Europe/Berlin", eager=True
    )
    data = panel(pl.DataFrame({"ds": days, "y": range(len(days))}))
    assert (data.frequency.name, data.frequency.regular) == ("D", True)


def test_steps_left_out_are_added_as_missing():
    data = panel(pl.DataFrame({"ds": [0, 10, 20, 50, 60], "y": [1.0, 2, 3, 4, 5], "p": [1.0, 2, 3, 4, 5]}), past=["p"])
    assert data.frequency.name == "10"
    assert data.times.tolist() == [0, 10, 20, 30, 40, 50, 60]
    np.testing.assert_array_equal(data.y, [1, 2, 3, NAN, NAN, 4, 5])
    np.testing.assert_array_equal(data.past.numbers[:, 0], data.y)
    assert any("2 steps left out in 1 of 1 series" in note for note in data.notes)


def test_irregular_time_is_reported_and_kept():
    data = panel(pl.DataFrame({"unique_id": ["a"] * 4 + ["b"] * 3, "ds": [0, 2, 4, 5, 0, 2, 4], "y": np.arange(7.0)}))
    assert data.times.tolist() == [0, 2, 4, 5, 0, 2, 4]
    assert not data.frequency.regular
    assert any("irregular in 1 of 2 series" in note for note in data.notes)
    sparse = panel(pl.DataFrame({"ds": [0, 1, 2, 1000], "y": [1.0, 2, 3, 4]}))
    assert len(sparse.y) == 4


def test_awkward_series_work():
    table = pl.DataFrame(
        {
            "unique_id": ["one", *["none"] * 3, *["flat"] * 3, *["two"] * 2],
            "ds": [9, 1, 2, 3, 1, 2, 3, 1, 2],
            "y": [5.0, None, None, None, 7, 7, 7, 1, 2],
            "p": pl.Series([None] * 9, dtype=pl.Null),
        }
    )
    data = panel(table, past=["p"], future=[])
    assert dict(zip(data.ids, data.lengths, strict=True)) == {"flat": 3, "none": 3, "one": 1, "two": 2}
    notes = " ".join(data.notes)
    assert "1 of 4 series have no value at all" in notes
    assert "1 of 4 series are constant" in notes
    assert "2 of 4 series have fewer than three steps" in notes
    assert np.isnan(panel(table.with_columns(y=pl.lit(None)), target="y").y).all()


def test_the_known_future_is_kept_apart():
    table = pl.DataFrame(
        {
            "unique_id": ["a"] * 5 + ["b"] * 3 + ["c"] * 2,
            "ds": [0, 1, 2, 3, 4, 0, 1, 2, 0, 1],
            "y": [1.0, None, 3, None, None, 4, 5, 6, None, None],
            "f": np.arange(10.0),
        }
    )
    data = panel(table, future=["f"])
    assert data.lengths.tolist() == [3, 3, 2]  # a series without any value has no end to split at
    assert data.known.tolist() == [2, 0, 0]
    assert data.future.numbers[:, 0].tolist() == list(range(10))
    assert data.future_times(2).tolist() == [[3, 4], [3, 4], [2, 3]]
    bare = panel(table)  # without such columns these rows are history
    assert bare.lengths.tolist() == [5, 3, 2]
    assert any("The last 2 rows have no value in any series" in note for note in bare.notes)
    assert ("known future", "2 steps in 1 series") in data.describe()


def test_cut_and_select():
    ids, static = ["a"] * 6 + ["b"] * 3, ["u"] * 6 + ["v"] * 3
    times, values = [*range(6), *range(3)], np.arange(9.0)
    table = pl.DataFrame({"unique_id": ids, "ds": times, "y": values, "f": values, "s": static})
    data = panel(table, future=["f"], static=["s"])
    history, truth = data.cut(2)
    assert history.lengths.tolist() == [4, 3]  # the second is too short: two steps must stay
    assert truth.lengths.tolist() == [2, 0]
    assert truth.y.tolist() == [4, 5]
    assert truth.times.tolist() == [4, 5]
    assert history.known.tolist() == [2, 0]
    assert history.future.numbers[:, 0].tolist() == list(range(9))
    assert truth.future.numbers[:, 0].tolist() == [4, 5]
    part = data.select([1, 0])
    assert part.ids.tolist() == ["b", "a"]
    assert part.y.tolist() == [6, 7, 8, 0, 1, 2, 3, 4, 5]
    assert part.static.codes[:, 0].tolist() == [1, 0]
    assert same(part.select([1, 0]), data)


def test_describe_says_what_was_understood():
    times = pd.date_range("2021-01-01", periods=28, freq="D")
    data = panel(pl.DataFrame({"day": times, "y": np.tile([1.0, 2, 3, 9, 9, 3, 2], 4)}), time="day")
    said = dict(data.describe())
    assert said["series"] == "1"
    assert said["time"] == "2021-01-01 to 2021-01-28"
    assert said["frequency"] == "D"
    assert said["season"] == "7 steps"
    assert said["columns"] == "time day; target y"
    assert said["missing values"] == "0"


def test_roles_of_a_saved_model_are_taken_as_they_are():
    table = pl.DataFrame({"unique_id": ["a"] * 3, "ds": [1, 2, 3], "y": [1.0, 2, 3], "p": [1.0, 2, 3]})
    first = panel(table, past=["p"])
    again = type(first.roles).from_json(first.roles.to_json())
    assert again == first.roles
    assert same(panel(table, roles=again), first)


@pytest.mark.parametrize("given", [7, 1])
def test_a_season_that_is_given_is_taken(given):
    assert panel(pl.DataFrame({"y": np.tile([1.0, 5, 2, 8], 20)}), season=given).season == given


@pytest.mark.parametrize(
    ("start", "step", "form", "frequency"), [("2020-12-20", "1d", "%Y%m%d", "D"), ("2018-11-01", "1mo", "%Y%m", "MS")]
)
def test_dates_written_as_one_integer(start, step, form, frequency):
    dates = pl.datetime_range(pl.lit(start).str.to_date(), pl.lit("2021-05-01").str.to_date(), step, eager=True)
    written = dates.dt.strftime(form).cast(pl.Int32)
    found = panel(pl.DataFrame({"ds": written, "y": range(len(dates))}))
    assert found.frequency.name == frequency
    assert (found.times == dates.to_numpy().astype("datetime64[us]")).all()
    ahead = unclock(found.future_times(3)[0], found.clock, "ds")
    assert ahead.dtype == pl.Int32
    assert ahead.to_list() == ([20210502, 20210503, 20210504] if step == "1d" else [202106, 202107, 202108])


@pytest.mark.parametrize("ds", [range(200101, 200161), range(20210101, 20210151), [20210230, 20210301], range(5, 9)])
def test_integers_that_are_no_dates_are_counts(ds):
    found = panel(pl.DataFrame({"ds": ds, "y": range(len(ds))}))
    assert found.clock.kind == "integer"
    assert found.times.tolist() == list(ds)


def test_integers_that_could_be_dates_are_counts_where_the_step_is_one():
    found = panel(pl.DataFrame({"ds": range(20210101, 20210111), "y": range(10)}), freq=1)
    assert found.times.tolist() == list(range(20210101, 20210111))


def test_a_column_of_dates_as_integers_is_the_time_where_none_is_named():
    found = panel(pl.DataFrame({"day": range(20210101, 20210111), "y": range(10)}))
    assert found.roles.time == "day"
    assert found.frequency.name == "D"


def test_series_with_a_step_of_their_own_are_told():
    rows = [(name, t) for name, step in (("a", "1h"), ("b", "1h"), ("c", "1d"))
            for t in pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 1, 9), step, eager=True)]  # fmt: skip
    found = panel(pl.DataFrame(rows, ["unique_id", "ds"], orient="row").with_columns(y=pl.int_range(pl.len())))
    assert any("1 series have a step of their own (D)" in note for note in found.notes)
