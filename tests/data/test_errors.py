"""Every mistake in a table is one line: what, got, expected, what to do."""

import numpy as np
import polars as pl
import pytest

from saiki.data.panel import panel
from saiki.data.split import by_id, by_time
from saiki.data.windows import Windows
from saiki.errors import DataError, OptionError

GOOD = {"unique_id": ["a", "a", "b", "b"], "ds": [1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 4.0], "temp": [1.0, 2.0, 3.0, 4.0]}


def refused(kind, columns, **options) -> str:
    with pytest.raises(kind) as error:
        panel(pl.DataFrame(columns), **options)
    text = str(error.value)
    assert "\n" not in text
    return text


CASES = {
    "no such column": ({}, {"target": "yy"}, ["no column 'yy'", "columns: unique_id, ds, y, temp"]),
    "near miss": ({}, {"past": ["tmp"]}, ["no column 'tmp'", "did you mean 'temp'?"]),
    "near miss in another case": ({}, {"target": "TEMP"}, ["did you mean 'temp'?"]),
    "text target": ({"y": ["1", "x", "2", "3"]}, {}, ["target column 'y' holds text (such as 'x' in row 2)", "numbers"]),
    "times as target": ({}, {"target": "when", "time": "ds"}, ["target column 'when' holds Datetime"]),
    "infinite": ({"y": [1.0, 2.0, np.inf, 4.0]}, {}, ["1 infinite values", "row 3", "unique_id b, ds 1", "expected"]),
    "infinite covariate": ({"temp": [1.0, 2.0, -np.inf, 4.0]}, {"past": ["temp"]}, ["'temp'", "row 3"]),
    "duplicated": ({"ds": [1, 1, 1, 2]}, {}, ["duplicated times: unique_id 'a' has two rows at ds 1", "one row per"]),
    "no series with two rows": ({"unique_id": list("abcd")}, {}, ["no series has two rows (4 series, 4 rows)"]),
    "not times": ({"ds": ["x", "y", "z", "w"]}, {}, ["time column 'ds' holds no times", "'x'", "2021-04-30"]),
    "ambiguous times": ({"ds": ["01/02/2021", "02/02/2021"] * 2}, {}, ["holds no times", "one unambiguous format"]),
    "broken numbers": ({"ds": [1.5, 2.5, 1.5, 2.5]}, {}, ["holds no times", "Float64"]),
    "missing time": ({"ds": [1, None, 1, 2]}, {}, ["1 rows have no time, the first is row 2"]),
    "missing id": ({"unique_id": ["a", "a", None, "b"]}, {}, ["1 rows have no id, the first is row 3"]),
    "two roles": ({}, {"past": ["temp"], "future": ["temp"]}, ["column 'temp' is given twice"]),
    "target and past": ({}, {"past": ["y"]}, ["column 'y' is given twice"]),
    "called as forecasts": ({"saiki": list("aabb")}, {"id": "saiki"}, ["the id column is called 'saiki'", "another name"]),
    "called as a bound": ({"saiki-lo-80": [1, 2, 1, 2]}, {"time": "saiki-lo-80"}, ["the time column is called"]),
    "the end of integers": ({"ds": [2**63 - 2, 2**63 - 1] * 2}, {}, ["'ds' holds 9223372036854775807", "leave 64 bits"]),
    "changing static": ({}, {"static": ["temp"]}, ["static column 'temp' changes within unique_id 'a'", "--past"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused(case):
    changes, options, expected = CASES[case]
    options = dict(options)
    when = pl.Series(["2021-01-01", "2021-01-02"] * 2).str.to_datetime()
    columns = {**GOOD, **changes}
    if options.get("target") == "when":
        columns["when"] = when
    text = refused(DataError, columns, **options)
    for part in expected:
        assert part in text


def test_names_of_two_parts():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(GOOD)
    frame.columns = pandas.MultiIndex.from_product([["a"], frame.columns])
    with pytest.raises(DataError, match=r"columns are called \('a', 'unique_id'\), .*expected names that are text"):
        panel(frame)


def test_numbers_too_small_to_be_divided_are_zero():
    assert panel(pl.DataFrame(GOOD | {"y": [1e-320, -1e-310, 1e-299, 0.0]})).y.tolist() == [0, 0, 1e-299, 0]


def test_several_columns_of_times():
    when = pl.Series(["2021-01-01", "2021-01-02"]).str.to_datetime()
    text = refused(DataError, {"when": when, "then": when, "y": [1.0, 2.0]})
    assert "several columns hold times (when, then); say which one with --time" in text


def test_no_target_and_no_rows():
    assert "no target column: there is no column 'y'" in refused(DataError, {"ds": [1, 2], "v": [1.0, 2.0]})
    assert "has no rows" in refused(DataError, {"ds": [], "y": []})


def test_duplicates_without_an_id_advise_one():
    text = refused(DataError, {"ds": [1, 1], "y": [1.0, 2.0]})
    assert "name their column with --id" in text


@pytest.mark.parametrize("freq", ["fortnight", "0D", "", "D3", "-1"])
def test_frequencies_without_meaning(freq):
    assert "has no meaning" in refused(OptionError, GOOD, freq=freq)


def test_frequency_and_season_that_do_not_fit():
    assert "does not fit a time of integers" in refused(OptionError, GOOD, freq="h")
    assert "season 0 has no meaning" in refused(OptionError, GOOD, season=0)


def test_horizon_longer_than_every_history():
    data = panel(pl.DataFrame(GOOD))
    with pytest.raises(DataError, match="horizon 5 is longer than every history: the longest series has 2 steps"):
        by_time(data, 5)
    longer = panel(pl.DataFrame({"y": np.arange(9.0)}))
    with pytest.raises(DataError, match="use --horizon 7 or less"):
        by_time(longer, 8)
    assert by_time(longer, 7).train.lengths.tolist() == [2]


def test_splits_and_windows_without_meaning():
    data = panel(pl.DataFrame({"y": np.arange(9.0)}))
    with pytest.raises(DataError, match="needs two series or more"):
        by_id(data)
    with pytest.raises(OptionError, match="share is 2"):
        by_id(data, share=2)
    with pytest.raises(OptionError, match="horizon is 0; expected 1 step or more"):
        Windows(data, history=3, horizon=0)
    with pytest.raises(OptionError, match="kind 'test' has no meaning"):
        Windows(data, history=3, horizon=1).positions("test")


def test_integers_beyond_64_bits_are_text_as_ids_and_an_error_as_times():
    import polars as pl
    import pytest

    from saiki.data.clock import times
    from saiki.data.columns import identities
    from saiki.errors import DataError

    big = [2**63 + 40, 2**63 + 41, 3]
    for column in (pl.Series("n", big, dtype=pl.UInt64), pl.Series("n", [2**64, 2**65, 3], dtype=pl.Int128)):
        assert identities(column)[0].tolist() == sorted(map(str, column.to_list()))
        with pytest.raises(DataError, match="beyond 64 bits"):
            times(column)
    with pytest.raises(DataError, match="beyond 64 bits"):
        times(pl.Series("n", [1e30]))


def test_the_first_time_that_is_no_whole_number_is_named():
    table = pl.DataFrame({"ds": [1.0, 2.0, 2.5], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=r"got Float64 such as '2.5' in row 3"):
        panel(table, time="ds")
