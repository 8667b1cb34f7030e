"""Files as they come from elsewhere: read as they were meant, or one line with the place of the fault."""

from __future__ import annotations

import gzip

import pytest

from saiki.data.panel import panel
from saiki.errors import DataError
from saiki.readers import read, read_frame

ROWS = [("ä", f"2024-01-{day:02d}", f"{day}.5") for day in range(1, 11)]
PLAIN = "unique_id,ds,y\n" + "".join(",".join(row) + "\n" for row in ROWS)
MEANT = {
    "mark": PLAIN.encode("utf-8-sig"),
    "utf-16": PLAIN.encode("utf-16"),
    "utf-32": PLAIN.encode("utf-32"),
    "windows": PLAIN.replace("\n", "\r\n").encode(),
    "old mac": PLAIN.replace("\n", "\r").encode(),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "decimal commas": PLAIN.replace(",", ";").replace(".5", ",5").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "tabs, decimal commas": PLAIN.replace(",", "\t").replace(".5", ",5").encode(),
    "bars": PLAIN.replace(",", "|").encode(),
    "spaces": PLAIN.replace(",", ", ").encode(),
    "blank lines": PLAIN.replace("\n", "\n\n").encode(),
    "zipped, but not called so": gzip.compress(PLAIN.encode()),
    "quoted": PLAIN.replace("ä", '"ä"').encode(),
}


@pytest.mark.parametrize("name", MEANT)
def test_read_as_meant(tmp_path, name):
    path = tmp_path / "zwei Wörter.csv"
    path.write_bytes(MEANT[name])
    frame = read_frame(path)
    assert frame.columns == ["unique_id", "ds", "y"]
    assert [(a, str(b)[:10], str(c)) for a, b, c in frame.iter_rows()] == ROWS
    assert panel(path).frequency.name == "D"


@pytest.mark.parametrize("name", ["utf-16", "tabs", "bars"])
def test_records_too(tmp_path, name):
    path = tmp_path / "a.csv"
    path.write_bytes(MEANT[name])
    assert [record.fields["unique_id"] for record in read(path)] == ["ä"] * len(ROWS)


def test_lines_within_quotes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('ds,note,y\n1,"a\n\nb",1\n\n,,\n2,"c,d",2\n', encoding="utf-8")
    frame = read_frame(path)
    assert frame["note"].to_list() == ["a\n\nb", None, "c,d"]
    assert frame["ds"].to_list() == [1, None, 2]


def test_separators_alone_at_the_end_are_no_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("ds;y\n1;2\n2;\n;\n;\n", encoding="utf-8")
    assert read_frame(path)["ds"].to_list() == [1, 2]
    path.write_text("x,y\n1,2\n,3\n2,\n,\n", encoding="utf-8")
    assert len(read_frame(path)) == 4, "no column is full: values may be missing there"


def test_dashes_and_faults_of_spreadsheets_are_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("unique_id,y,z,sign\na,1.5,-,+\na,-,.,-\na,#DIV/0!,2,-\na,-2,--,+\n", encoding="utf-8")
    frame = read_frame(path)
    assert frame["y"].to_list() == [1.5, None, None, -2]
    assert frame["z"].to_list() == [None, None, 2, None]
    assert frame["sign"].to_list() == ["+", "-", "-", "+"]


FAULTS = {
    "latin-1": (
        "a.csv",
        PLAIN.encode("latin-1"),
        "a.csv, line 2: byte 1 of the line, 0xe4, is not UTF-8; save the file as UTF-8",
    ),
    "late latin-1": (
        "a.csv",
        (PLAIN + "x,2024-01-11,1\n").encode() + b"\xe4,2024-01-12,1\n",
        "a.csv, line 13: byte 1 of the line, 0xe4, is not UTF-8",
    ),
    "latin-1 lines": (
        "a.jsonl",
        b'{"y": 1}\n{"y": "\xe4"}\n',
        "a.jsonl, line 2: byte 8 of the line, 0xe4, is not UTF-8",
    ),
    "too many": ("a.csv", (PLAIN + "ä,2024-01-20,3,4\n").encode(), "a.csv, line 12 (4 fields, the header has 3)"),
    "header alone": ("a.csv", b"unique_id,ds,y\n", "a.csv has no rows"),
    "a name twice": ("a.csv", b"ds,y,y\n1,2,3\n", "a.csv: two columns are called 'y'"),
    "cut short": ("a.csv.gz", gzip.compress(PLAIN.encode())[:-20], "a.csv.gz: cannot be read (Compressed file ended"),
    "text": (
        "a.csv",
        PLAIN.replace("7.5", "oops").encode(),
        "'y' holds text (such as 'oops' in row 7); expected numbers",
    ),
    "no such day": ("a.csv", PLAIN.replace("01-07", "01-77").encode(), "such as '2024-01-77' in row 7"),
    "another form": ("a.csv", PLAIN.replace("2024-01-07", "07.01.2024").encode(), "such as '07.01.2024' in row 7"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_have_a_place(tmp_path, name):
    file, content, expected = FAULTS[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        panel(path)
    text = str(caught.value)
    assert expected in text
    assert "\n" not in text
    assert "Schema'" not in text or "truncate" not in text


def test_a_mark_before_json_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"y": 1}\n{"y": 2}\n', encoding="utf-8-sig")
    assert read_frame(path)["y"].to_list() == [1, 2]
    assert [record.fields["y"] for record in read(path)] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_first_line_longer_than_what_is_looked_at(tmp_path, end):
    path = tmp_path / "wide.csv"
    names = [f"channel-{k:05d}" for k in range(10_000)]
    path.write_bytes(end.join([";".join(names), ";".join(["1,5"] * 10_000), ""]).encode())
    frame = read_frame(path)
    assert frame.columns == names
    assert frame["channel-09999"].to_list() == [1.5]


def test_old_ends_of_lines_in_a_long_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("\r".join(["id,y", *["007,1.5"] * 20_000, ""]).encode())
    frame = read_frame(path)
    assert (frame["id"][0], len(frame)) == ("007", 20_000)


def test_a_long_document(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('k,text,y\n1,"' + "a word\n" * 40_000 + '",yes\n\n2,short,no\n', encoding="utf-8")
    frame = read_frame(path)
    assert frame["k"].to_list() == [1, 2]
    assert len(frame["text"][0]) == 280_000
    path.write_text('k,text\n1,"' + "a" * 200_000 + '"\n2,b,c\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.csv, line 3 \(3 fields, the header has 2\)"):
        read_frame(path)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.tsv", 'a\tb\n1\t"x\n2\ty"\n3\t"z\n', {"a": [1, 2, 3], "b": ['"x', 'y"', '"z']}),
        ("a.tsv", 'a\tb\n1\t"x\n2\ty\n3\tz"\n', {"a": [1, 2, 3], "b": ['"x', "y", 'z"']}),
        ("a.tsv", 'a\tb\n1\t"x\ny"\n2\tz\n', {"a": [1, 2], "b": ["x\ny", "z"]}),
        ("a.csv", 'a,b\n1,"x, y"\n2,"y\nz"\n', {"a": [1, 2], "b": ["x, y", "y\nz"]}),
    ],
)
def test_quotes_that_are_never_closed_are_marks(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert read_frame(tmp_path / name).to_dict(as_series=False) == expected


def test_labelled_lines_without_a_header(tmp_path):
    lines = ["ham\tGo there, now", 'spam\t"Win', "ham\tok, or not, or", "ham\tno"] * 5
    (tmp_path / "sms").write_text("\n".join(lines))
    found = read_frame(tmp_path / "sms")
    assert found.columns == ["0", "1"]
    assert found["0"].to_list() == ["ham", "spam", "ham", "ham"] * 5
    assert found["1"][1] == '"Win'


@pytest.mark.parametrize("body", ["word,noun\n", "x,noun\n" * 300 + "word,noun\nword,verb\n", "word,tag\n" * 3])
def test_a_header_whose_names_are_among_the_values_is_a_header(tmp_path, body):
    (tmp_path / "a.csv").write_text("word,tag\n" + body)
    assert read_frame(tmp_path / "a.csv").columns == ["word", "tag"]


def test_zeros_in_front_count_wherever_they_stand(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("store,y\n" + "12345,1.25\n" * 10_000 + "01234,2.5\n")
    assert read_frame(path)["store"].to_list()[-2:] == ["12345", "01234"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["903", "1,054", "1,108"], ["903", "1,054", "1,108"]),  # thousands, or three decimals: not guessed
        (["0,5", "1,25", "3"], [0.5, 1.25, 3.0]),
        (["0,532", "1,054", "2,000"], [0.532, 1.054, 2.0]),
    ],
)
def test_commas_in_numbers_are_decimal_only_where_they_must_be(tmp_path, fields, expected):
    (tmp_path / "t.tsv").write_text("n\ty\n" + "".join(f"{k}\t{field}\n" for k, field in enumerate(fields)))
    assert read_frame(tmp_path / "t.tsv")["y"].to_list() == expected


def test_a_comma_in_one_column_does_not_change_the_points_of_another(tmp_path):
    (tmp_path / "t.tsv").write_text("labels\ty\n1,2\t0.5\n2,3\t1.5\n")
    frame = read_frame(tmp_path / "t.tsv")
    assert frame["labels"].to_list() == ["1,2", "2,3"]
    assert frame["y"].to_list() == [0.5, 1.5]


@pytest.mark.parametrize(
    "text",
    ["15.01.2024 10:00:30", "01/15/2024 10:00:30", "01/15/2024 10:00:30 AM", "2024-01-15 10:00:30"],
)
def test_times_with_seconds(tmp_path, text):
    (tmp_path / "t.csv").write_text(f"ds,y\n{text},1\n{text.replace(':30', ':31')},2\n")
    assert str(read_frame(tmp_path / "t.csv")["ds"][0]) == "2024-01-15 10:00:30"


@pytest.mark.parametrize("text", ["15-Jan-2024", "15 Jan 2024", "2024.01.15", "Jan 15, 2024"])
def test_days_in_other_forms(tmp_path, text):
    (tmp_path / "t.tsv").write_text(f"ds\ty\n{text}\t1\n{text.replace('15', '16')}\t2\n")
    assert [str(t)[:10] for t in read_frame(tmp_path / "t.tsv")["ds"].to_list()] == ["2024-01-15", "2024-01-16"]


def test_an_offset_in_hours_alone(tmp_path):
    (tmp_path / "t.csv").write_text("ds,y\n2024-01-15 10:00:00+01,1\n2024-01-15 11:00:00+01,2\n")
    assert str(read_frame(tmp_path / "t.csv")["ds"][0]) == "2024-01-15 10:00:00+01:00"


def test_ids_stay_as_they_are_written(tmp_path):
    rows = [f"{name},2024-01-{day:02},{day}" for name in ("1.1", "1.10", "2.5") for day in (1, 2, 3)]
    (tmp_path / "t.csv").write_text("\n".join(["version,ds,y", *rows]) + "\n")
    frame = read_frame(tmp_path / "t.csv", names=("version",))
    assert panel(frame, id="version").ids.tolist() == ["1.1", "1.10", "2.5"]
    assert read_frame(tmp_path / "t.csv")["version"].to_list()[0] == 1.1  # a number like any other where it is no name
    (tmp_path / "d.csv").write_text("unique_id,ds,y\n2024-01-01,1,1\n2024-01-01,2,3\n2024Q1,1,1\n2024Q1,2,3\n")
    assert panel(read_frame(tmp_path / "d.csv")).ids.tolist() == ["2024-01-01", "2024Q1"]
    (tmp_path / "f.csv").write_text("unique_id,ds,y\n1.0,1,1\n1.0,2,3\n2.0,1,1\n2.0,2,3\n")
    assert [str(id) for id in panel(read_frame(tmp_path / "f.csv")).ids] == ["1", "2"]
    (tmp_path / "j.jsonl").write_text(
        '{"unique_id": "2024-01-01", "ds": 1, "y": 1}\n{"unique_id": "2024-01-01", "ds": 2, "y": 2}\n'
    )
    assert panel(read_frame(tmp_path / "j.jsonl")).ids.tolist() == ["2024-01-01"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1,054.5", "903", "-2,000", ""], [1054.5, 903.0, -2000.0, None]),
        (["1.054,5", "903", "12.345,25"], [1054.5, 903.0, 12345.25]),
        (["1,054,000", "2,000"], [1054000.0, 2000.0]),
        (["1.054.000", "0,5"], [1054000.0, 0.5]),
        (["1,054", "2,000"], ["1,054", "2,000"]),
        (["100,200", "100,200,300"], ["100,200", "100,200,300"]),
        (["1,054.5", "1.054,5"], ["1,054.5", "1.054,5"]),
        (["192.168.100.1", "10.0.0.1"], ["192.168.100.1", "10.0.0.1"]),
        (["1,05.4", "1,054.5"], ["1,05.4", "1,054.5"]),
    ],
)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_groups_of_three_digits_are_read_where_nothing_is_to_be_guessed(tmp_path, texts, expected, mark):
    rows = [f'{k}{mark}"{text}"' for k, text in enumerate(texts)]
    (tmp_path / "t.csv").write_text("\n".join([f"k{mark}v", *rows]) + "\n")
    assert read_frame(tmp_path / "t.csv").to_native()["v"].to_list() == expected
