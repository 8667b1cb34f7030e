"""Every reader of the catalogue reads what was written in its format; faults are one line with path and position."""

import gzip
import types

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from saiki import catalog, readers
from saiki.data.frames import SUFFIXES as WRITTEN
from saiki.data.frames import write_frame
from saiki.errors import DataError
from saiki.record import Record

FRAME = pl.DataFrame(
    {
        "unique_id": ["a", "a", "b", "b"],
        "ds": pl.Series(["2021-01-01", "2021-01-02", "2021-01-01", "2021-01-02"]).str.to_datetime(time_unit="us"),
        "y": [1.5, None, -3.0, 4.0],
        "k": [1, 2, 3, 4],
    }
)
SUFFIXES = sorted(readers.suffixes().keys() & {*WRITTEN, ".tsv.gz"})


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def write(path, frame=FRAME):
    if path.name.endswith(".tsv.gz"):
        path.write_bytes(gzip.compress(frame.write_csv(separator="\t").encode()))
    else:
        write_frame(frame, path)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_written_frame_is_read_back(tmp_path, suffix):
    read = readers.read_frame(write(tmp_path / f"table{suffix}"))
    assert isinstance(read, nw.DataFrame)
    assert read.to_native().equals(FRAME)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_records_are_read_lazily_and_know_their_origin(tmp_path, suffix):
    path = write(tmp_path / f"table{suffix}")
    records = readers.read(path)
    assert isinstance(records, types.GeneratorType)
    first = next(records)
    assert isinstance(first, Record)
    assert (first["unique_id"], first["y"]) == ("a", 1.5)
    assert str(path) in first.origin
    assert "1" in first.origin.rpartition(",")[2]
    assert len(list(records)) == 3


@pytest.mark.parametrize("name", catalog.names("readers"))
def test_a_reader_states_its_suffixes(name):
    module = catalog.load("readers", name)
    assert module.Reader.suffixes == module.SUFFIXES
    assert all(s == s.lower() and s.startswith(".") for s in module.SUFFIXES)


def test_suffixes_are_read_in_any_case(tmp_path):
    path = write(tmp_path / "table.csv").rename(tmp_path / "TABLE.CSV")
    assert readers.read_frame(path).shape == (4, 4)


@pytest.mark.parametrize(
    "frame",
    [FRAME, FRAME.lazy(), FRAME.to_pandas(), FRAME.to_arrow(), nw.from_native(FRAME)],
    ids=["polars", "lazy", "pandas", "pyarrow", "narwhals"],
)
def test_frames_pass_through(frame):
    assert readers.read_frame(frame).columns == FRAME.columns


def test_a_pandas_index_with_a_name_or_with_times_becomes_a_column():
    times = pd.date_range("2021-01-01", periods=3)
    named = pd.DataFrame({"y": [1.0, 2, 3]}, index=pd.Index(times, name="day"))
    assert set(readers.read_frame(named).columns) == {"day", "y"}
    assert set(readers.read_frame(named.rename_axis(None)).columns) == {"ds", "y"}
    assert set(readers.read_frame(named.rename_axis(None)["y"]).columns) == {"ds", "y"}
    both = named.set_index(pd.Index(["a"] * 3, name="unique_id"), append=True)
    assert set(readers.read_frame(both).columns) == {"day", "unique_id", "y"}
    assert readers.read_frame(pd.DataFrame({"y": [1.0]})).columns == ["y"]


def test_csv_of_other_habits(tmp_path):
    path = tmp_path / "europe.csv"
    path.write_text("Datum;y\n30.04.2021;1,5\n01.05.2021;NA\n")
    frame = readers.read_frame(path).to_native()
    assert frame["Datum"].dtype == pl.Datetime("us")
    assert frame["y"].to_list() == [1.5, None]


def test_csv_missing_values_and_nan(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ds,y\n1,NA\n2,\n3,nan\n4,2\n")
    assert np.isnan(readers.read_frame(path)["y"].to_numpy().astype(float)).tolist() == [True, True, True, False]


def test_missing_file_names_its_neighbours(tmp_path):
    write(tmp_path / "sales.csv")
    with pytest.raises(DataError) as error:
        readers.read_frame(tmp_path / "sale.csv")
    assert "no such file" in one_line(error)
    assert "'sales.csv'" in one_line(error)
    with pytest.raises(DataError, match="no folder"):
        readers.read_frame(tmp_path / "nowhere" / "t.csv")


def test_folder_empty_file_and_unknown_suffix(tmp_path):
    with pytest.raises(DataError, match="is a folder; expected a file"):
        readers.read_frame(tmp_path)
    (tmp_path / "t.csv").touch()
    with pytest.raises(DataError, match="is empty"):
        readers.read_frame(tmp_path / "t.csv")
    for name, hint in (("t.parket", "'.parquet'"), ("t.xyzw", ".csv"), ("table", "no suffix")):
        (tmp_path / name).write_text("y\n1\n")
        with pytest.raises(DataError) as error:
            readers.read_frame(tmp_path / name)
        assert hint in one_line(error)
    with pytest.raises(DataError, match="the data is a int; expected a path or a"):
        readers.read_frame(3)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".jsonl", ".feather"])
def test_a_broken_file_is_one_line(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"this is not what the suffix says\n" * 3)
    with pytest.raises(DataError) as error:
        readers.read_frame(path)
    assert "not a readable" in one_line(error)
    with pytest.raises(DataError) as error:
        list(readers.read(path))
    assert str(path) in one_line(error)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv.gz"])
def test_a_truncated_file_is_one_line(tmp_path, suffix):
    path = write(tmp_path / f"t{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError) as error:
        readers.read_frame(path)
    one_line(error)


def test_the_position_of_a_fault_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match=r"t\.csv, line 3 \(3 fields, the header has 2\)"):
        readers.read_frame(path)
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(DataError, match=r"t\.jsonl, line 2"):
        readers.read_frame(path)
    with pytest.raises(DataError, match=r"t\.jsonl, line 2: not JSON"):
        list(readers.read(path))
    path.write_text('{"a": 1}\n[1]\n')
    with pytest.raises(DataError, match="line 2: a list; expected an object"):
        list(readers.read(path))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_is_no_pattern(tmp_path, suffix):
    write(tmp_path / f"t1{suffix}", FRAME.head(1))
    path = write(tmp_path / f"t[1]{suffix}")
    assert readers.read_frame(path).to_native().equals(FRAME)
    assert [record["k"] for record in readers.read(path)] == [1, 2, 3, 4]


def test_an_arrow_stream_is_read(tmp_path):
    table = pa.table({"ds": [1, 2], "y": [1.0, 2.0]})
    with pa.ipc.new_stream(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    assert readers.read_frame(tmp_path / "t.arrow").shape == (2, 2)
    assert [r["y"] for r in readers.read(tmp_path / "t.arrow")] == [1.0, 2.0]
    (tmp_path / "t.arrow").rename(tmp_path / "t[1].arrow")
    assert readers.read_frame(tmp_path / "t[1].arrow").shape == (2, 2)


def test_numbers_with_zeros_in_front_are_names(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("unique_id,ds,y\n007,1,0\n07,1,0.5\n7,1,10\n")
    frame = readers.read_frame(path)
    assert frame["unique_id"].to_list() == ["007", "07", "7"]
    assert frame["ds"].to_list() == [1, 1, 1]
    assert frame["y"].to_list() == [0, 0.5, 10]
    path.write_text("unique_id, ds, y\n007, 1, 0\nNA, 1, 0.5\n7, 1, 10\n")
    assert readers.read_frame(path)["unique_id"].to_list() == ["007", None, "7"]
    path.write_text("ds, unique_id,y\n1, 007,0\n1, 07,0.5\n")
    assert readers.read_frame(path)["unique_id"].to_list() == ["007", "07"]
    path.write_text("ds,unique_id\n1, 007\n1, 07\n")
    assert readers.read_frame(path)["unique_id"].to_list() == ["007", "07"], "spaces in the rows alone"


def test_a_file_without_a_header_has_numbers_as_names(tmp_path):
    path = tmp_path / "Toy_TRAIN"
    path.write_text("1.0\t0.5\t-2\t\n2.0\t0.25\t3\t\n")
    frame = readers.read_frame(path)
    assert frame.columns == ["0", "1", "2"]
    assert frame["1"].to_list() == [0.5, 0.25]
    years = tmp_path / "years.csv"
    years.write_text("2001,2002\n1,2\n")
    assert readers.read_frame(years).columns == ["2001", "2002"], "different whole numbers may be names"


def test_numbers_with_blanks_around_them_are_numbers(tmp_path):
    path = tmp_path / "padded.csv"
    path.write_text("a,b,c\n 1, 0.5,x \n12, 1.5, y\n")
    frame = readers.read_frame(path)
    assert frame["a"].to_list() == [1, 12]
    assert frame["b"].to_list() == [0.5, 1.5]
    assert frame["c"].to_list() == ["x ", " y"]


def test_labelled_series_of_the_archives(tmp_path):
    path = tmp_path / "Toy.ts"
    path.write_text("# about\n@problemName Toy\n@classLabel true a b\n@data\n1,2,3:4,?,6:a\n7,8:9,10:b\n")
    frame = readers.read_frame(path)
    assert frame.columns == ["unique_id", "ds", "channel-0", "channel-1", "y"]
    assert frame["channel-1"].to_list() == [4, None, 6, 9, 10]
    assert frame["y"].to_list() == ["a", "a", "a", "b", "b"]
    assert [record["y"] for record in readers.read(path)] == ["a", "b"]
    path.write_text("@classLabel true a b\n@data\n1,2,x:4,5,6:a\n")
    with pytest.raises(DataError, match="line 3"):
        readers.read_frame(path)


@pytest.mark.parametrize("space", ["", " "])
def test_in_text_what_looks_missing_is_a_word(tmp_path, space):
    lines = [("a", "b", "c"), ("None", "1", "2024-01-01"), ("?", "NA", ""), ("", "3", "NA"), ("so", "4", "2024-01-02")]
    (tmp_path / "t.csv").write_text("".join(f",{space}".join(line) + "\n" for line in lines))
    found = readers.read_frame(tmp_path / "t.csv").to_native()
    assert found["a"].to_list() == ["None", "?", None, "so"]
    assert found["b"].to_list() == [1, None, 3, 4]
    assert found["c"].dtype == pl.Datetime
    assert found["c"].null_count() == 2


def test_a_name_of_several_columns(tmp_path):
    path = tmp_path / "retail.csv"
    path.write_text("store,item,day,y\n01,1.10,2024-01-01,1\n01,1.2,2024-01-01,2\n,1.2,2024-01-01,3\n")
    frame = readers.read_frame(path, names=("store/item",))
    assert frame["store/item"].to_list() == ["01/1.10", "01/1.2", None]
    given = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for table in (given, given.to_pandas(), given.to_arrow()):
        assert readers.read_frame(table, names=("a/b",))["a/b"].to_list() == ["1/x", "2/y"]
    assert "a/c" not in readers.read_frame(given, names=("a/c",)).columns
    named = given.with_columns(pl.lit("own").alias("a/b"))
    assert readers.read_frame(named, names=("a/b",))["a/b"].to_list() == ["own", "own"]
