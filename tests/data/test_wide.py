"""Tables with a column per step are read as series, one per row."""

import narwhals as nw
import numpy as np
import polars as pl
import pytest

import saiki
from saiki.data.panel import panel
from saiki.data.wide import by_step
from saiki.errors import DataError
from saiki.readers import read_frame

DAYS = [f"2024-01-{day:02}" for day in range(1, 31)]


def by_days(**rest) -> pl.DataFrame:
    values = {day: [k + 0.5, 10.0 + k % 7] for k, day in enumerate(DAYS)}
    return pl.DataFrame({"page": ["a", "b"], "lang": ["en", "en"], **rest, **values})


def read(frame, **roles):
    found = by_step(read_frame(frame), roles.get("id"))
    return panel(found.frame, **roles | {"id": found.id})


def test_columns_called_by_times():
    found = read(by_days())
    assert found.frequency.name == "D"
    assert found.season == 7
    assert found.ids.tolist() == ["a", "b"]
    np.testing.assert_array_equal(found[0], np.arange(30) + 0.5)
    named = read(by_days(), id="page", static=("lang",))
    assert named.roles.id == "page"
    assert named.static.categorical == ("lang",) or list(named.static.categorical) == ["lang"]


def test_the_rows_need_a_name_of_their_own():
    with pytest.raises(DataError, match="no column names them"):
        by_step(read_frame(by_days().with_columns(page=pl.lit("a"))))
    assert by_step(read_frame(by_days(n=[1, 2]).with_columns(page=pl.lit("a")))).id == "n"
    with pytest.raises(DataError, match="no column names them"):
        by_step(read_frame(by_days(lat=[1.5, 2.5]).with_columns(page=pl.lit("a"))))


def test_columns_called_by_years_and_by_numbers():
    years = pl.DataFrame({"Country": ["x", "y"], "iso2": ["u", "v"], **{str(1990 + k): [k, None] for k in range(12)}})
    found = read(years)
    assert found.times.min() == 1990
    assert np.isnan(found[1]).all()
    numbered = pl.DataFrame({"V1": ["H1", "H2"], **{f"V{k}": [k, k if k < 8 else None] for k in range(2, 14)}})
    found = read(numbered)
    assert found.lengths.tolist() == [12, 6], "what is missing at the end is no step"
    assert found.times[:12].tolist() == list(range(1, 13))
    holes = numbered.to_pandas()
    assert read(holes).lengths.tolist() == [12, 6], "so is NaN"
    before = by_step(read_frame(numbered)).frame
    later = by_step(read_frame(numbered), "V1", past=before).frame
    assert later.filter(nw.col("V1") == "H2")["ds"].min() == 7, "numbers go on after the history"
    gaps = pl.DataFrame(
        {"Country": ["x", "y"], "2000 [YR2000]": [1, 2], "1990 [YR1990]": [1, 2], "1995 [YR1995]": [1, 2]}
    )
    assert read(gaps).times[:3].tolist() == [1990, 1995, 2000]


def test_frames_whose_columns_are_times():
    long = by_step(read_frame(by_days())).frame.to_native().to_pandas()
    wide = long.pivot(index="page", columns="ds", values="y")
    for frame in (wide, wide.reset_index()):
        found = read(frame)
        assert found.ids.tolist() == ["a", "b"]
        assert found.lengths.tolist() == [30, 30]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"ds": ["a", "b"], **{day: [1, 2] for day in DAYS}}),
        pl.DataFrame({"x": ["a", "b"], "2024-01-01": [1, 2], "2024-01-02": [1, 2]}),
        pl.DataFrame({"x": ["a", "b"], "1990": ["u", "v"], "1991": [1, 2], "1993": [1, 2]}),
        pl.DataFrame({"date": ["2024-01-01", "2024-01-02"], "2001": [1, 2], "2002": [1, 2], "2003": [1, 2]}),
        pl.DataFrame({"x": [1, 2], **{f"sensor{k}": [1, 2] for k in range(10)}}),
        pl.DataFrame({"x": ["a", "b"], **{f"sensor{k}": ["u", "v"] for k in range(10)}}),
    ],
)
def test_other_tables_are_left_alone(frame):
    given = read_frame(frame)
    assert by_step(given).frame is given


def test_a_column_that_is_asked_for_is_the_target():
    given = read_frame(by_days())
    assert by_step(given, target=[DAYS[3]]).frame is given


def test_forecasts_of_such_a_table():
    frame = by_days()
    model = saiki.train("forecast", frame, horizon=3, steps=2, width=4)
    assert "named by 'page'" in dict(model.understood)["note"]
    long = by_step(read_frame(frame)).frame.to_native()
    expected = model.predict(long)
    for given in (frame, frame.to_pandas(), frame.to_arrow()):
        answer = model.predict(given)
        assert type(answer).__module__.partition(".")[0] == type(given).__module__.partition(".")[0]
        answer = pl.DataFrame(answer)
        np.testing.assert_allclose(answer["saiki"], expected["saiki"], rtol=1e-6)
        assert answer["page"].to_list() == expected["page"].to_list()
    history = frame.drop(DAYS[-3:])
    scored = model.evaluate(frame.select("page", *DAYS[-3:]), history=history)
    assert scored.scores["saiki"] == pytest.approx(model.evaluate(frame).scores["saiki"], rel=1e-6)
