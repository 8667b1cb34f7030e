"""Documents that are no table: a folder, an archive of one (`.zip`, `.tar`, `.tar.gz`, `.tar.xz`, …), or lines behind their labels.

The folders in a folder are classes, each of the text files in them is a document. Without such folders each file is a class whose
documents are its lines, or a document of no class.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import narwhals as nw

from saiki.errors import DataError
from saiki.readers import reader_for, text
from saiki.readers._files import check_file

#: columns of the table: where a document stands in a folder, what it says, its class
FILE, TEXT, CLASS = "file", "text", "y"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
#: what unpacking a damaged archive raises
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, shutil.ReadError)
#: and what zipfile raises for a password, and for a way of packing that it does not know
LOCKED = (RuntimeError, NotImplementedError)


def is_collection(path: Path) -> bool:
    """Whether this is a folder or an archive."""
    return path.is_dir() or (path.is_file() and path.name.lower().endswith(ARCHIVES))


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder, or what an archive holds in a temporary one; DataError for a broken archive."""
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            if path.name.lower().endswith(".zip"):
                shutil.unpack_archive(path, folder, "zip")
            else:
                with tarfile.open(path) as file:
                    file.extractall(folder, filter="data")
        except (*DAMAGED, *LOCKED) as error:
            told = str(error).splitlines()[0][:120].replace(folder, str(path)) if str(error) else type(error).__name__
            raise DataError(
                f"{path}: not a readable archive ({told}); fetch it again, or unpack it and give the folder"
            ) from error
        try:
            yield Path(folder)
        except DataError as error:
            raise DataError(str(error).replace(folder, str(path))) from error


def documents(source: Any, encoding: str | None = None, classes: Collection[str] | None = None) -> nw.DataFrame | None:
    """Documents as columns `text` and, where there are classes, `y`, of a folder also `file`; None for files and frames of tables.

    classes  those that are known; None where they are to be learned
    """
    if isinstance(source, list | tuple):
        return _of_list(source)
    if not isinstance(source, str | Path):
        return None
    path = Path(source)
    if is_collection(path):
        return _of_folder(path, encoding, classes)
    name = path.name.lower()
    if not name.endswith(text.SUFFIXES):
        if not path.is_file():
            return None
        try:
            reader_for(path)
            return None
        except DataError:  # suffixes such as .train say nothing
            if not path.stat().st_size:
                return None
    check_file(path)
    lines = [line for line in text.lines(path, encoding) if line.strip()]
    found = text.labelled(lines, classes)
    if found is None and not name.endswith(text.SUFFIXES) and classes is None:
        return None
    if found is None and classes is not None:  # every line has an answer, empty ones too
        lines = list(text.lines(path, encoding))
        lines = lines[: max((k for k, line in enumerate(lines, 1) if line.strip()), default=0)]
    columns = {TEXT: lines} if found is None else {CLASS: [y for y, _ in found], TEXT: [t for _, t in found]}
    return _frame(columns)


def _of_list(source: Sequence[Any]) -> nw.DataFrame | None:
    """Texts, or pairs of a text and its class; None for a list of something else."""
    if source and all(isinstance(one, str) for one in source):
        return _frame({TEXT: list(source)})
    if source and all(isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str) for one in source):
        return _frame(
            {TEXT: [one[0] for one in source], CLASS: [None if one[1] is None else str(one[1]) for one in source]}
        )
    return None


def _of_folder(path: Path, encoding: str | None, classes: Collection[str] | None) -> nw.DataFrame:
    found: dict[str, list[str]] = {FILE: [], TEXT: [], CLASS: []}
    with unpacked(path) as folder:
        top = _top(folder)
        files = text.files(top)
        inside = [file for file in files if file.parent != top]
        _check_levels(path, top, inside)
        by_file = not inside and (classes is None or {_stem(file) for file in files} <= set(classes))
        for file in inside or files:
            if by_file:
                documents = [line for line in _lines(file, encoding) if line.strip()]
            else:
                documents = ["\n".join(_lines(file, encoding))]
            found[TEXT] += documents
            found[FILE] += [_name(file.relative_to(top))] * len(documents)
            found[CLASS] += [_stem(file) if by_file else _name(file.relative_to(top).parts[0])] * len(documents)
    if by_file and classes is None and len(found[TEXT]) < 2 * len(files):
        raise DataError(
            f"{path} holds {len(files)} files of {len(found[TEXT])} lines and no folders; "
            "expected a folder of files for each class, or a file of lines for each"
        )
    return _frame(found if inside or by_file else {FILE: found[FILE], TEXT: found[TEXT]})


def _frame(columns: Mapping[str, Sequence[str | None]]) -> nw.DataFrame:
    import polars as pl

    return nw.from_native(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))


def _lines(file: Path, encoding: str | None) -> list[str]:
    """The lines of a file; an empty one is an empty document."""
    return list(text.lines(file, encoding)) if file.stat().st_size else []


def _check_levels(path: Path, top: Path, inside: list[Path]) -> None:
    """DataError for folders such as train and test that hold the same folders: those are the classes."""
    below: dict[str, set[str]] = {}
    for file in inside:
        parts = file.relative_to(top).parts
        below.setdefault(parts[0], set()).add(parts[1] if len(parts) > 2 else "")
    shared = set.intersection(*below.values()) if len(below) > 1 else set()
    if shared - {""}:
        raise DataError(
            f"{path}: the folders {', '.join(sorted(below))} hold the same folders ({', '.join(sorted(shared - {''}))}); "
            "expected a folder for each class: give one of those"
        )


def _stem(file: Path) -> str:
    """The name of a file without what says that it is text."""
    return _name(
        file.name[: -len(next(s for s in (*text.SUFFIXES[2:], *text.SUFFIXES[:2]) if file.name.lower().endswith(s)))]
    )


def _name(path: Path | str) -> str:
    """A name as text, whatever its bytes."""
    return os.fsencode(path).decode("utf-8", "replace")


def _top(folder: Path) -> Path:
    """The first folder, going down, that holds more than a single folder."""
    while True:
        inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__MACOSX"))]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]
