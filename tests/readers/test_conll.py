"""Columns of the CoNLL tasks: sentences, comments, CoNLL-U, and lines that do not fit."""

import gzip

import pytest

from saiki import readers
from saiki.errors import DataError

NAMES = "-DOCSTART- -X- O\n\nU.N. NNP B-ORG\nofficial NN O\n\n\n# NN O\nEkeus NNP B-PER\n"
UNIVERSAL = (
    "# sent_id = 1\n# text = Vámonos\n1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_\n1\tVamos\tir\tVERB\t_\tMood=Imp\t0\troot\t_\t_\n"
    "2\tnos\tnosotros\tPRON\t_\tCase=Acc\t1\tobj\t_\t_\n2.1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
)


def test_words_and_labels(tmp_path):
    path = tmp_path / "ner.conll"
    path.write_text(NAMES)
    frame = readers.read_frame(path).to_native()
    assert frame.columns == ["unique_id", "ds", "word", "column-2", "y"]
    assert frame["unique_id"].to_list() == [1, 1, 2, 2]
    assert frame["ds"].to_list() == [1, 2, 1, 2]
    assert frame["word"].to_list() == ["U.N.", "official", "#", "Ekeus"]
    assert frame["y"].to_list() == ["B-ORG", "O", "O", "B-PER"]
    first, second = readers.read(path)
    assert first["y"] == ["B-ORG", "O"]
    assert second.origin.endswith("line 7")


def test_tabs_hold_words_with_spaces_and_comments_are_passed_over(tmp_path):
    path = tmp_path / "t.iob2"
    path.write_text("a\tO\r\n\r\n# id 7\r\nNew York\tB-LOC\r\n")
    assert readers.read_frame(path)["word"].to_list() == ["a", "New York"]


def test_universal_dependencies(tmp_path):
    path = tmp_path / "es.conllu.gz"
    path.write_bytes(gzip.compress(UNIVERSAL.encode()))
    frame = readers.read_frame(path).to_native()
    assert frame["form"].to_list() == ["Vamos", "nos"]
    assert frame["upos"].to_list() == ["VERB", "PRON"]
    assert frame["xpos"].null_count() == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.conll", "a O\nb\n", "line 2: got 1 columns; expected 2"),
        ("a.conll", "\n\n", "has no words"),
        ("a.conllu", "1\ta\tO\n", "a file of CoNLL-U has 10"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        readers.read_frame(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_a_word_that_is_a_mark_of_comments_in_the_first_line(tmp_path):
    path = tmp_path / "t.conll"
    path.write_text("#\tO\nNew\tB-LOC\n")
    assert readers.read_frame(path)["word"].to_list() == ["#", "New"]


def test_an_empty_cell_may_stand_first_or_last_where_cells_are_apart_by_tabs(tmp_path):
    path = tmp_path / "gaps.conll"
    path.write_text("Anna\tB-PER\nvisited\t\nParis\tB-LOC\n")
    assert readers.read_frame(path).to_native()["y"].to_list() == ["B-PER", "", "B-LOC"]
