"""Pairs of texts from parallel files, tables and lists; what is wrong with them is one line."""

from __future__ import annotations

import gzip
from datetime import date

import polars as pl
import pytest

from saiki.data.pairs import pairs
from saiki.errors import DataError


@pytest.fixture
def parallel(tmp_path):
    (tmp_path / "train.en").write_text("a dog\n\na cat\n", encoding="utf-8")
    (tmp_path / "train.de").write_text("ein Hund\nnichts\neine Katze\n", encoding="utf-8")
    return tmp_path / "train"


def test_parallel_files_by_their_stem_or_by_one_of_them(parallel):
    for given in (parallel, parallel.with_name("train.en"), str(parallel)):
        found = pairs(given, "en", "de")
        assert (found.source, found.target) == (["a dog", "a cat"], ["ein Hund", "eine Katze"])
        assert found.left_out == 1


def test_the_ending_of_a_file_says_what_the_source_is(parallel):
    assert pairs(parallel.with_name("train.de"), target="en").source == ["ein Hund", "eine Katze"]


def test_packed_files(tmp_path):
    for side, text in (("en", "one\ntwo\n"), ("ja", "一\n二\n")):
        (tmp_path / f"x.{side}.gz").write_bytes(gzip.compress(text.encode()))
    for given in (tmp_path / "x", tmp_path / "x.en.gz"):
        assert pairs(given, "en", "ja").target == ["一", "二"]


def test_tables_and_lists(tmp_path):
    frame = pl.DataFrame({"q": ["a", None, "b"], "a": ["A", "C", "B"]})
    frame.write_csv(tmp_path / "t.csv")
    for data in (frame, tmp_path / "t.csv"):
        found = pairs(data, "q", "a")
        assert (found.source, found.target, found.left_out) == (["a", "b"], ["A", "B"], 1)
    assert pairs([("a", "A"), ("b", "B")]).target == ["A", "B"]
    assert pairs(["a", "b"], both=False) == pairs(frame.drop_nulls().select(source="q"), both=False)


def test_columns_of_a_text_without_a_head(tmp_path):
    (tmp_path / "fra.txt").write_text("Go.\tVa !\nRun!\tCours !\n", encoding="utf-8")
    assert pairs(tmp_path / "fra.txt").target == ["Va !", "Cours !"]
    assert pairs(tmp_path / "fra.txt", "1", "0").source == ["Va !", "Cours !"]
    (tmp_path / "fra.txt").write_text("Go.\tVa !\nRun!\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"fra.txt, line 2: got 1 columns apart by tabs; expected columns 0 and 1"):
        pairs(tmp_path / "fra.txt")


def test_parallel_files_of_different_length_name_both_counts(parallel):
    parallel.with_name("train.de").write_text("eins\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train.en has 3 lines, .*train.de has 1; expected as many"):
        pairs(parallel, "en", "de")


def test_what_is_no_pair_is_said(tmp_path, parallel):
    with pytest.raises(DataError, match=r"no such files: .*absent.en and .*absent.de"):
        pairs(tmp_path / "absent", "en", "de")
    with pytest.raises(DataError, match="no column called 'sourc'"):
        pairs(pl.DataFrame({"source": ["a"], "target": ["b"]}), "sourc")
    with pytest.raises(DataError, match=r"column 'target', row 1: got \[3\]; expected text"):
        pairs(pl.DataFrame({"source": ["a"], "target": [[3]]}))
    with pytest.raises(DataError, match="expected pairs of texts"):
        pairs(["alone"])


def test_the_split_keeps_a_source_on_one_side_whatever_the_order():
    given = [(f"text {k % 40}", f"answer {k}") for k in range(120)]
    train, held = pairs(given).split(0.2, 100)
    assert len(held) == 24
    assert not set(train.source) & set(held.source)
    _, other = pairs(given[::-1]).split(0.2, 100)
    assert sorted(zip(other.source, other.target, strict=True)) == sorted(zip(held.source, held.target, strict=True))
    assert len(pairs(given).split(0.0, 100)[1]) == 0


def test_without_the_target_it_is_not_read(tmp_path, parallel):
    parallel.with_name("train.de").write_text("eins\n", encoding="utf-8")
    sources = ["a dog", "", "a cat"]
    for _ in range(2):
        for given in (parallel, parallel.with_name("train.en")):
            assert pairs(given, "en", "de", both=False).source == sources
        parallel.with_name("train.de").unlink(missing_ok=True)
    frame = pl.DataFrame({"q": ["a", None, "b"], "a": [None, "C", "B"], "n": [1, 2, 3]})
    frame.write_csv(tmp_path / "t.csv")
    for data in (frame, frame.to_pandas(), tmp_path / "t.csv"):
        for target in ("a", "n", "absent"):
            assert pairs(data, "q", target, both=False).source == ["a", "", "b"]
    assert pairs(tmp_path / "t.csv", target="de", source="q", both=False).target is None
    assert pairs([("a", None), ("", "B")], both=False).source == ["a", ""]
    (tmp_path / "fra.txt").write_text("Go.\tVa !\nRun!\t\nStop!\n", encoding="utf-8")
    assert pairs(tmp_path / "fra.txt", both=False).source == ["Go.", "Run!", "Stop!"]
    assert pairs(tmp_path / "fra.txt", "1", "0", both=False).source == ["Va !", "", "Stop!"]


def test_one_column_named_alone_has_another_for_its_other_side(tmp_path):
    (tmp_path / "t.txt").write_text("a\tb\tc\n")
    for source, target, expected in (
        (None, None, "ab"),
        ("0", None, "ab"),
        ("1", None, "ba"),
        (None, "0", "ba"),
        (None, "2", "ac"),
    ):
        found = pairs(tmp_path / "t.txt", source, target)
        assert found.source + found.target == list(expected)


def test_numbers_and_dates_of_a_table_are_texts(tmp_path):
    (tmp_path / "p.csv").write_text("source,target\n3 May 2021,2021-05-03\n007,700\nNA,1.50\n4,\n")
    found = pairs(tmp_path / "p.csv")
    assert found.source == ["3 May 2021", "007", "NA"]
    assert found.target == ["2021-05-03", "700", "1.50"]
    assert found.left_out == 1
    frame = pl.DataFrame({"source": [1, None], "target": [date(2021, 5, 3), date(2021, 5, 4)]})
    assert pairs(frame).target == ["2021-05-03"]
    assert pairs(frame.cast({"target": pl.Datetime})).target == ["2021-05-03"]
