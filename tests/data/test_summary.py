"""What is told of a file."""

from datetime import datetime

import polars as pl

from saiki.data.summary import counted, of_columns, of_text
from saiki.readers import read_frame


def test_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("the sea, the\n\nsea\n", encoding="utf-8")
    told = dict(of_text(path) or [])
    assert told["lines"] == "2, the longest of 12 characters"
    assert told["characters"] == "15, 7 different"
    assert told["words"] == "4 between blanks, 3 different"


def test_documents_with_classes(tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.txt").write_text(f"{name} text")
    told = dict(of_text(tmp_path) or [])
    assert told["documents"].startswith("4, ")
    assert told["classes"] == "2: bad (2), good (2)"


def test_columns(tmp_path):
    frame = pl.DataFrame(
        {
            "when": [datetime(2024, 1, 1), datetime(2024, 1, 2), None],
            "y": [1.5, float("nan"), 2.5],
            "n": [1, 2, 3],
            "s": ["a", "b", "a"],
            "e": [None, None, None],
        }
    )
    told = [text for _, text in of_columns(read_frame(frame))]
    assert told == [
        "when: times from 2024-01-01 to 2024-01-02, 1 missing",
        "y: numbers from 1.5 to 2.5, mean 2, 1 missing",
        "n: whole numbers from 1 to 3, mean 2",
        "s: text, 2 different, such as 'a'",
        "e: nothing but missing values",
    ]
    many = read_frame(pl.DataFrame({f"c{k}": [1] for k in range(40)}))
    assert of_columns(many)[-1] == ("column", "and 25 more, c15 to c39")
    assert counted(read_frame(frame)["s"]) == "2: a (2), b (1)"
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    assert of_text(path) is None
