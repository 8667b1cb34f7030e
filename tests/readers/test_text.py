"""Plain text: encodings are found or given, a bad byte is told with its line, a file is read part by part."""

import gzip

import pytest

from saiki import readers
from saiki.data.documents import text_parts
from saiki.errors import DataError, OptionError
from saiki.readers import _text
from saiki.readers import text as plain

JAPANESE = "吾輩は猫である。\n名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n"


def whole(path, encoding=None):
    return "".join(plain.parts(path, encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp932", "euc_jp"])
def test_the_encoding_is_found(tmp_path, encoding):
    path = tmp_path / "t.txt"
    path.write_bytes(JAPANESE.encode(encoding))
    assert whole(path) == JAPANESE
    assert [r["text"] for r in readers.read(path)] == JAPANESE.splitlines()


def test_the_encoding_is_given(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("naïve café\n".encode("latin-1"))
    assert whole(path, "latin-1") == "naïve café\n"
    with pytest.raises(DataError, match=r"t\.txt, line 1: byte 3 of the line, 0xef, is not UTF-8; .*--encoding"):
        whole(path)
    with pytest.raises(OptionError, match="unknown encoding 'latin-99'"):
        whole(path, "latin-99")


@pytest.mark.parametrize("part", [4, 7, 1 << 20])
def test_a_bad_byte_is_told_with_its_line_and_place(tmp_path, monkeypatch, part):
    monkeypatch.setattr(_text, "PART", part)
    path = tmp_path / "t.txt"
    path.write_bytes("one\r\ntwo\r\nné".encode() + b"\xff!\n")
    with pytest.raises(DataError, match=r"line 3: byte \d+ of the line, 0xff"):
        whole(path)


@pytest.mark.parametrize("part", [1, 2, 3, 5, 1 << 20])
def test_parts_put_together_are_the_text(tmp_path, monkeypatch, part):
    monkeypatch.setattr(_text, "PART", part)
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress("é\r\n\r\nb\rc\n\n日本".encode()))
    assert whole(path) == "é\n\nb\nc\n\n日本"
    assert list(plain.lines(path)) == ["é", "", "b", "c", "", "日本"]


def test_what_is_no_text_is_one_line(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    with pytest.raises(DataError, match="holds no text"):
        whole(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        whole(path)
    path = tmp_path / "t.txt.gz"
    path.write_bytes(b"\x1f\x8b no archive")
    with pytest.raises(DataError, match="cannot be read"):
        whole(path)


def test_documents_come_from_lines_folders_columns_and_lists(tmp_path):
    (tmp_path / "b.txt").write_text("one\n\ntwo\n")
    (tmp_path / "a.txt").write_text("zero")
    (tmp_path / "c.csv").write_text("text,n\nx,1\ny,2\n")
    assert list(text_parts(tmp_path)) == [("zero", True), ("one\n\ntwo\n", True)]
    assert list(text_parts(tmp_path / "b.txt")) == [("one\n\ntwo\n", False)]
    assert list(text_parts(tmp_path / "b.txt", documents="lines")) == [("one", True), ("two", True)]
    assert list(text_parts(tmp_path / "c.csv")) == [("x", True), ("y", True)]
    assert list(text_parts(["p", "q"])) == [("p", True), ("q", True)]
    with pytest.raises(DataError, match="no column called 'txt'; did you mean 'text'"):
        list(text_parts(tmp_path / "c.csv", "txt"))
    (tmp_path / "c.jsonl").write_text('{"n": 1}\n')
    with pytest.raises(DataError, match="is 1; expected text"):
        list(text_parts(tmp_path / "c.jsonl", "n"))
    (tmp_path / "words.csv").write_text("text,n\nNone,1\n?,2\n7,x\n,3\n")
    assert list(text_parts(tmp_path / "words.csv")) == [("None", True), ("?", True), ("7", True)]
    with pytest.raises(DataError, match="the data is a int"):
        list(text_parts(3))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_an_encoding_without_its_mark_is_one_line(tmp_path, encoding):
    path = tmp_path / "t.txt"
    path.write_bytes(JAPANESE.encode(f"{encoding}-le"))
    with pytest.raises(
        DataError, match=rf"t\.txt is not text in {encoding} .*give --encoding {encoding}-le or {encoding}-be"
    ):
        whole(path, encoding)
    assert whole(path, f"{encoding}-le") == JAPANESE


@pytest.mark.parametrize("name", ["hex", "base64", "rot13", "undefined", ""])
def test_what_encodes_no_text_is_no_encoding(tmp_path, name):
    path = tmp_path / "t.txt"
    path.write_bytes(b"61 62\n")
    with pytest.raises(OptionError, match=f"unknown encoding '{name}'"):
        whole(path, name)
