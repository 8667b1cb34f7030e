"""Forecasts come back in the library and the types of the input; a file appears whole or not at all."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from saiki.data.clock import shown
from saiki.data.frames import forecast_frame, native, write_frame
from saiki.data.panel import panel
from saiki.errors import DataError
from saiki.readers import read_frame


def forecast(frame, **roles):
    data = panel(frame, **roles)
    values = np.arange(2.0 * len(data)).reshape(len(data), 2)
    return forecast_frame(data, data.future_times(2), {"saiki": values}, like=frame)


LONG = pl.DataFrame(
    {"unique_id": ["b", "b", "a", "a"], "ds": pl.Series([1, 2, 1, 2], dtype=pl.Int32), "y": [1.0, 2, 3, 4]}
)


def test_the_frame_is_long_and_sorted():
    frame = forecast(LONG)
    assert frame.to_dict(as_series=False) == {
        "unique_id": ["a", "a", "b", "b"],
        "ds": [3, 4, 3, 4],
        "saiki": [0.0, 1.0, 2.0, 3.0],
    }


def test_library_in_library_out():
    assert isinstance(forecast(LONG), pl.DataFrame)
    assert isinstance(forecast(LONG.to_pandas()), pd.DataFrame)
    assert isinstance(forecast(LONG.to_arrow()), pa.Table)
    assert isinstance(forecast(LONG.lazy()), pl.DataFrame)
    assert isinstance(native(LONG, "a/path.csv"), pl.DataFrame)


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([1, 2], dtype=pl.Int32),
        pl.Series([2001.0, 2002.0]),
        pl.Series(["2021-01-01", "2021-01-02"]).str.to_date(),
        pl.Series(["2021-01-01", "2021-01-02"]).str.to_datetime(time_unit="ns"),
        pl.Series(["2021-01-01", "2021-01-02"]).str.to_datetime(time_unit="ms"),
        pl.Series(["2021-03-27", "2021-03-28"]).str.to_datetime(time_zone="Europe/Berlin"),
        pl.Series(["2021-03-27 23:00", "2021-03-28 00:00"]).str.to_datetime(time_zone="Europe/Berlin"),
    ],
    ids=str,
)
def test_the_time_column_keeps_its_type(times):
    table = pl.DataFrame({"ds": times, "y": [1.0, 2.0]})
    found = forecast(table)["ds"]
    assert found.dtype == times.dtype
    pandas = forecast(table.to_pandas())["ds"]
    assert pd.to_datetime(pandas[0]) == pd.to_datetime(table.to_pandas()["ds"][1]) + (
        pd.to_datetime(table.to_pandas()["ds"][1]) - pd.to_datetime(table.to_pandas()["ds"][0])
    ) or found.dtype == pl.Datetime("us", "Europe/Berlin")
    wall = [str(t) for t in found.to_list()]
    if times.dtype == pl.Datetime("us", "Europe/Berlin") and "23:00" not in str(times[0]):
        assert wall == ["2021-03-29 00:00:00+02:00", "2021-03-30 00:00:00+02:00"]  # midnight, through summer time


def test_what_comes_after_the_largest_of_a_small_type_has_a_larger_one():
    found = forecast(pl.DataFrame({"ds": pl.Series([126, 127], dtype=pl.Int8), "y": [1.0, 2.0]}))["ds"]
    assert (found.dtype, found.to_list()) == (pl.Int64, [128, 129])


def test_a_column_called_as_the_answer_is_one_line():
    data = panel(pl.DataFrame({"theta": ["a", "a"], "ds": [1, 2], "y": [1.0, 2.0]}), id="theta")
    with pytest.raises(DataError, match="column 'theta' of the data is called as one of the answer's"):
        forecast_frame(data, data.future_times(2), {"theta": np.zeros((1, 2))})


def test_ids_and_names_are_kept():
    table = pl.DataFrame({"shop": [7, 7], "day": [1, 2], "sales": [1.0, 2.0]})
    frame = forecast(table, id="shop", time="day", target="sales")
    assert frame.columns == ["shop", "day", "saiki"]
    assert frame["shop"].to_list() == [7, 7]
    assert forecast(pl.DataFrame({"y": [1.0, 2.0]})).columns == ["unique_id", "ds", "saiki"]


def test_missing_forecasts_are_null_or_nan_as_the_library_has_it():
    data = panel(LONG)
    values = np.full((2, 2), np.nan)
    assert forecast_frame(data, data.future_times(2), {"saiki": values})["saiki"].null_count() == 4
    assert forecast_frame(data, data.future_times(2), {"saiki": values}, like=LONG.to_pandas())["saiki"].isna().all()


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.jsonl", "t.arrow", "t.feather"])
@pytest.mark.parametrize("frame", [LONG, LONG.to_pandas(), LONG.to_arrow()], ids=["polars", "pandas", "arrow"])
def test_files_are_read_back(tmp_path, name, frame):
    write_frame(frame, tmp_path / name)
    back = read_frame(tmp_path / name).to_native()
    assert back.cast({"ds": pl.Int32}).equals(LONG)
    assert os.listdir(tmp_path) == [name]


def test_lists_are_text_in_csv_alone(tmp_path):
    lists = [["a b", "c"], [], None]
    frame = pl.DataFrame({"id": [1, 2, 3], "tags": lists})
    for name in ("t.csv", "t.tsv", "t.csv.gz"):
        write_frame(frame, tmp_path / name)
        back = read_frame(tmp_path / name).to_native()["tags"]
        assert back.fill_null("").to_list() == ["a b | c", "", ""]
    for name in ("t.jsonl", "t.parquet", "t.arrow"):
        write_frame(frame, tmp_path / name)
        assert read_frame(tmp_path / name).to_native()["tags"].to_list() == lists


def test_unknown_suffix_and_absent_folder(tmp_path):
    with pytest.raises(DataError, match=r"cannot write a file with \.csb; did you mean '\.csv'"):
        write_frame(LONG, tmp_path / "t.csb")
    (tmp_path / "file").touch()
    for folder in ("nowhere", "file"):
        with pytest.raises(DataError, match=r"could not be written .*choose another place") as error:
            write_frame(LONG, tmp_path / folder / "t.csv")
        assert "\n" not in str(error.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    """A limit on the size of files stands for the full disk: the operating system refuses to write on."""
    names = ["t.arrow", "t.csv", "t.csv.gz", "t.jsonl", "t.parquet"]
    for name in names:
        (tmp_path / name).write_bytes(b"old")
    script = f"""
        import resource, signal
        import numpy as np, polars as pl
        from saiki.data.frames import write_frame
        from saiki.errors import DataError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        frame = pl.DataFrame({{"y": np.random.default_rng(0).standard_normal(20_000)}})
        for name in {names!r}:
            try:
                write_frame(frame, {str(tmp_path)!r} + "/" + name)
            except DataError as error:
                assert len(str(error).splitlines()) == 1, error
                print("refused", name)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [word for name in names for word in ("refused", name)], done.stderr
    assert sorted(os.listdir(tmp_path)) == names
    assert all((tmp_path / name).read_bytes() == b"old" for name in names)


def test_one_time_as_people_write_it():
    moment = np.datetime64("2024-04-14T00:00:00", "us")
    steps = [0, 22 * 3600, 90, 61]
    written = ["2024-04-14", "2024-04-14 22:00", "2024-04-14 00:01:30", "2024-04-14 00:01:01"]
    assert [shown(moment + np.timedelta64(s, "s")) for s in steps] == written
    assert shown(moment + np.timedelta64(5, "us")) == "2024-04-14 00:00:00.000005"
    assert shown(np.int64(119)) == "119"
