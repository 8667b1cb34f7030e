"""Documents in folders, archives and lines behind their labels."""

import tarfile
import zipfile

import pytest

from saiki.data._layout import Layout
from saiki.data.documents import text_parts
from saiki.data.texts import documents
from saiki.errors import DataError
from saiki.readers import _collection, read_frame
from saiki.readers.text import labelled

LAYOUT = Layout(("review",), "stars")


def classes(folder):
    """Two folders with files, and what stands beside them in public archives."""
    for name, text in (("pos/a.txt", "good"), ("pos/b.txt", "fine\nfilm"), ("neg/c.txt", "bad"), ("urls.txt", "www")):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    (folder / "README").write_text("no document")
    return folder


def packed(folder, name):
    """The folder inside a folder in an archive."""
    path = folder.parent / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as file:
            for member in folder.rglob("*.*"):
                file.write(member, f"top/{member.relative_to(folder)}")
    else:
        with tarfile.open(path, f"w:{name.rpartition('.')[2]}") as file:
            file.add(folder, "top")
    return path


@pytest.mark.parametrize("name", [None, "films.zip", "films.tar.gz", "films.tar.xz"])
def test_a_folder_or_archive_of_classes(tmp_path, name):
    folder = classes(tmp_path / "films")
    found = _collection.documents(folder if name is None else packed(folder, name))
    assert found is not None
    assert found.to_dict(as_series=False) == {
        "file": ["neg/c.txt", "pos/a.txt", "pos/b.txt"],
        "text": ["bad", "good", "fine\nfilm"],
        "y": ["neg", "pos", "pos"],
    }


def test_files_are_classes_of_lines_or_documents_without_one(tmp_path):
    (tmp_path / "Czech.txt").write_text("Novák\n\nDvořák\n")
    (tmp_path / "Irish.txt").write_text("Byrne\nKelly")
    found = _collection.documents(tmp_path)
    assert found is not None
    assert list(zip(found["y"], found["text"], strict=True)) == [
        ("Czech", "Novák"),
        ("Czech", "Dvořák"),
        ("Irish", "Byrne"),
        ("Irish", "Kelly"),
    ]
    known = documents(tmp_path, LAYOUT, classes=("Czech", "Irish", "Greek"))
    assert known.answers is not None
    assert known.answers.to_list() == ["Czech", "Czech", "Irish", "Irish"]
    new = documents(tmp_path, LAYOUT, classes=("pos", "neg"))
    assert new.answers is None
    assert new.ids.tolist() == ["Czech.txt", "Irish.txt"]
    assert new.texts[0] == "Novák\n\nDvořák"


def test_a_folder_goes_by_the_names_of_training(tmp_path):
    found = documents(classes(tmp_path), LAYOUT, classes=("neg", "pos"))
    assert found.ids.tolist() == ["neg/c.txt", "pos/a.txt", "pos/b.txt"]
    assert found.answers is not None
    assert found.answers.to_list() == ["neg", "pos", "pos"]


def test_an_archive_is_read_as_its_folder_by_language_models(tmp_path):
    folder = classes(tmp_path / "films")
    assert list(text_parts(packed(folder, "films.zip"))) == list(text_parts(folder))


@pytest.mark.parametrize("name", ["films.zip", "films.tar.gz"])
def test_a_broken_archive_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=f"{name}: not a readable archive"):
        _collection.documents(tmp_path / name)


def test_a_bad_byte_in_an_archive_is_told_by_its_name_there(tmp_path):
    folder = classes(tmp_path / "films")
    (folder / "pos" / "a.txt").write_bytes(b"caf\xe9 " * 9)
    with pytest.raises(DataError, match=r"films.zip/top/pos/a.txt, line 1: byte 4"):
        _collection.documents(packed(folder, "films.zip"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{} a fine film", ("1", "a fine film")),
        ("+{}.0 so so", ("+1.0", "so so")),
        ("topic {}\tnet profit", ("topic 1", "net profit")),
        ("__label__{} yes", ("1", "yes")),
        ("__label__{} __label__new yes", ("1;new", "yes")),
        ("{}, he said", None),
        ("topic{} net profit", None),
    ],
)
def test_lines_behind_their_labels(line, expected):
    found = labelled([line.format(k % 3) for k in range(12)])
    assert (found and found[1]) == expected


def test_labels_that_are_known_tell_few_lines_and_all_others_are_text():
    assert labelled(["0 apples", "1 pear", "1"], known=("0", "1", "2")) == [("0", "apples"), ("1", "pear"), ("1", "")]
    assert labelled(["3 apples", "1 pear"] * 9, known=("0", "1")) is None
    assert labelled(["__label__a one"]) == [("a", "one")]


def test_a_header_is_no_document():
    found = labelled(["Label\ttext", *["a\tone", "b\ttwo"] * 9])
    assert found is not None
    assert found[0] == ("a", "one")


def test_hidden_files_and_what_a_mac_leaves_are_no_documents(tmp_path):
    for name in ("__MACOSX/neg/._c.txt", ".git/d.txt", "neg/._1.txt", "neg/e.txt.gz.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"" if name.startswith("neg/e") else b"\0\1")
    found = _collection.documents(classes(tmp_path))
    assert found is not None
    assert found["file"].to_list() == ["neg/c.txt", "neg/e.txt.gz.txt", "pos/a.txt", "pos/b.txt"]
    assert found["text"][1] == ""


def test_parts_for_training_and_test_are_no_classes(tmp_path):
    classes(tmp_path / "train"), classes(tmp_path / "test")
    with pytest.raises(DataError, match=r"the folders test, train hold the same folders \(neg, pos\)"):
        _collection.documents(tmp_path)


def test_files_without_classes_teach_nothing(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("one line")
    with pytest.raises(DataError, match="3 files of 3 lines and no folders"):
        _collection.documents(tmp_path)


def test_lines_that_are_numbered_are_no_labelled_ones():
    assert labelled([f"{k % 2} {k} 3.5" for k in range(20)]) is None
    assert labelled([f"{k} and so on" for k in range(20)]) is None
    assert labelled([f"{k % 2} and so on" for k in range(20)] + ["a title"]) is None
    assert labelled(["always\tthe same"] * 20) is None


@pytest.mark.parametrize("name", ["polarity.all", "sst.binary.train", "reviews.txt"])
def test_labelled_lines_are_read_whatever_the_file_is_called(tmp_path, name):
    (tmp_path / name).write_bytes(b"\n".join([b"0 d\xe9j\xe0 vu\x85 again"] * 9 + [b"1 tr\xe8s bon"] * 9))
    found = _collection.documents(tmp_path / name, encoding="latin-1")
    assert found is not None
    assert found.columns == ["y", "text"]
    assert found["y"].to_list() == ["0"] * 9 + ["1"] * 9
    assert found["text"][9] == "très bon"


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", "k,text\n1,café\n2,thé\n"), ("a.jsonl", '{"text": "café"}\n{"text": "thé"}\n')]
)
def test_tables_of_documents_are_read_in_the_encoding_that_is_told(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="latin-1")
    assert [t for t, _ in text_parts(tmp_path / name, "text", encoding="latin-1")] == ["café", "thé"]
    assert read_frame(tmp_path / name, encoding="latin-1")["text"].to_list() == ["café", "thé"]
