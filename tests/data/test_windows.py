"""Windows are what a plain loop cuts, leak nothing, and skip no series."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import polars as pl
from hypothesis import given, settings

from saiki.data.panel import panel
from saiki.data.split import by_id, by_time
from saiki.data.windows import Windows

NAN = np.nan


@st.composite
def cases(draw):
    rows, value = [], 0.0
    for id in range(draw(st.integers(1, 4))):
        for t in range(draw(st.integers(1 if id else 2, 9))):
            value += 1
            rows.append((id, t, draw(st.sampled_from([value, value, None])), value, value, float(id)))
        later = range(t + 1, t + 1 + draw(st.integers(0, 2)))
        rows += [(id, time, None, None, value + 100, float(id)) for time in later]
    names = ["unique_id", "ds", "y", "p", "f", "s"]
    table = pl.DataFrame(rows, names, orient="row", schema_overrides={"y": pl.Float64, "p": pl.Float64})
    data = panel(table, past=["p"], future=["f"], static=["s"], season=3)
    return data, draw(st.integers(1, 6)), draw(st.integers(1, 4))


def by_loop(data, history, horizon, series, ends):
    """The same windows, value by value."""
    out = {"y": [], "present": [], "target": [], "past": [], "future": [], "times": []}
    for s, e in zip(series, ends, strict=True):
        start, length = data.starts[s], data.lengths[s]
        reach = length + data.known[s]
        look = lambda a, begin, i, size: a[begin + i] if 0 <= i < size else NAN  # noqa: E731
        back, ahead = range(e - history, e), range(e, e + horizon)
        out["y"].append([look(data.y, start, i, length) for i in back])
        out["present"].append([i >= 0 for i in back])
        out["target"].append([look(data.y, start, i, length) for i in ahead])
        out["past"].append([look(data.past.numbers[:, 0], start, i, length) for i in back])
        future = data.future.numbers[:, 0]
        out["future"].append([look(future, data.future_starts[s], i, reach) for i in [*back, *ahead]])
        first = data.times[start]
        out["times"].append([first + i for i in [*back, *ahead]])
    return {k: np.array(v) for k, v in out.items()}


def agrees(windows, series, ends) -> bool:
    batch = windows.cut(series, ends)
    wanted = by_loop(windows.panel, windows.history, windows.horizon, series, ends)
    inside = np.concatenate([batch.present, np.ones((len(ends), windows.horizon), bool)], axis=1)
    found = {
        "y": batch.y,
        "present": batch.present,
        "target": batch.target,
        "past": batch.past.numbers[..., 0],
        "future": batch.future.numbers[..., 0],
        "times": np.where(inside, batch.times, wanted["times"]),
    }
    return all(np.array_equal(found[k], wanted[k], equal_nan=found[k].dtype.kind == "f") for k in wanted)


def everywhere(data):
    series = np.repeat(np.arange(len(data)), data.lengths)
    return series, np.concatenate([np.arange(1, n + 1) for n in data.lengths])


@given(cases())
@settings(deadline=None)
def test_gathering_is_a_plain_loop(case):
    data, history, horizon = case
    assert agrees(Windows(data, history=history, horizon=horizon), *everywhere(data))


def test_the_loop_tells_a_broken_gather():
    data = panel(
        pl.DataFrame({"y": np.arange(9.0), "p": np.arange(9.0), "f": np.arange(9.0)}), past=["p"], future=["f"]
    )

    class Late(Windows):  # one step too far: it sees what it is to forecast
        def cut(self, series, ends):
            return super().cut(series, np.minimum(np.asarray(ends) + 1, self.panel.lengths[series]))

    class Unmasked(Windows):  # padding taken for data
        def cut(self, series, ends):
            batch = super().cut(series, ends)
            batch.y[~batch.present] = 0.0
            return batch

    assert agrees(Windows(data, history=3, horizon=2), *everywhere(data))
    assert not agrees(Late(data, history=3, horizon=2), *everywhere(data))
    assert not agrees(Unmasked(data, history=3, horizon=2), *everywhere(data))


@given(cases(), st.booleans())
@settings(deadline=None)
def test_training_places(case, complete):
    data, history, horizon = case
    wanted = []
    for s in range(len(data)):
        length = data.lengths[s]
        for e in range(1, length):
            y = data[s]
            seen = ~np.isnan(y[max(e - history, 0) : e]).all()
            asked = ~np.isnan(y[e : e + horizon]).all()
            whole = e <= length - horizon or length <= horizon
            if seen and asked and (whole or not complete):
                wanted.append((s, e))
    found = Windows(data, history=history, horizon=horizon).positions("train", complete=complete)
    assert list(zip(*(f.tolist() for f in found), strict=True)) == wanted


@given(cases())
@settings(deadline=None)
def test_no_series_is_left_out_at_the_end_and_validation_is_never_trained_on(case):
    data, history, horizon = case
    windows = Windows(data, history=history, horizon=horizon)
    series, ends = windows.positions("last")
    assert series.tolist() == list(range(len(data)))
    assert ends.tolist() == data.lengths.tolist()
    assert np.isnan(windows.cut(series, ends).target).all()
    if data.lengths.max() < horizon + 2:
        return
    split = by_time(data, horizon)
    trained = Windows(split.train, history=history, horizon=horizon)
    valid = Windows(split.valid, history=history, horizon=horizon)
    judged = valid.cut(*valid.positions("valid"))
    batch = trained.cut(*trained.positions("train"))
    values = set(batch.y[~np.isnan(batch.y)]) | set(batch.target[~np.isnan(batch.target)])
    assert not values & set(judged.target[~np.isnan(judged.target)])  # all values of a case are different


def test_the_phase_is_that_of_the_calendar_wherever_the_history_begins():
    days = pd.date_range("2021-01-04", periods=30, freq="D")  # a Monday
    whole = panel(pl.DataFrame({"ds": days, "y": np.arange(30.0)}), season=7)
    tail = panel(pl.DataFrame({"ds": days[11:], "y": np.arange(19.0)}), season=7)
    a, b = (Windows(p, history=3, horizon=2) for p in (whole, tail))
    assert a.cut(*a.positions("last")).phase == b.cut(*b.positions("last")).phase
    found = a.cut(np.zeros(8, int), np.arange(1, 9)).phase
    assert np.diff(found[:7]).tolist().count(1) >= 5
    assert found[0] == found[7]


def test_times_beyond_the_end_follow_the_calendar():
    months = pd.date_range("2021-01-31", periods=5, freq="ME")
    data = panel(pl.DataFrame({"ds": months[:4], "y": np.arange(4.0)}))
    times = Windows(data, history=2, horizon=3).cut(np.array([0, 0]), np.array([2, 4])).times
    wanted = pd.date_range("2021-01-31", periods=7, freq="ME").to_numpy().astype("datetime64[us]")
    np.testing.assert_array_equal(times, [wanted[:5], wanted[2:7]])


def test_split_by_id():
    data = panel(
        pl.DataFrame({"unique_id": np.repeat(np.arange(20), 3), "ds": np.tile([1, 2, 3], 20), "y": np.arange(60.0)})
    )
    split = by_id(data, 0.25, seed=3)
    assert (len(split.train), len(split.valid)) == (15, 5)
    assert not set(split.train.ids) & set(split.valid.ids)
    assert by_id(data, 0.25, seed=3).valid.ids.tolist() == split.valid.ids.tolist()
    assert by_id(data, 0.25, seed=4).valid.ids.tolist() != split.valid.ids.tolist()
