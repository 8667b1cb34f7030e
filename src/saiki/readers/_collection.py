"""A collection of documents: a folder, or an archive of one (`.zip`, `.tar`, `.tar.gz`, `.tar.xz`, …).

The folders in it are classes, each of the text files in them is a document. Without such folders each file is a class whose
documents are its lines, or a document of no class.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers import text

#: columns of the table: where a document stands, what it says, its class
FILE, TEXT, CLASS = "file", "text", "y"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


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
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, shutil.ReadError) as error:
            raise DataError(f"{path}: not a readable archive ({error})") from error
        try:
            yield Path(folder)
        except DataError as error:
            raise DataError(str(error).replace(folder, str(path))) from error


def frame(path: Path, encoding: str | None = None, classes: tuple[str, ...] | None = None) -> nw.DataFrame:
    """The documents as columns `file`, `text` and, where there are classes, `y`.

    classes  those that are known: files of other names, in a folder without folders, are documents. None: each is a class
    """
    import polars as pl

    found: dict[str, list[str]] = {FILE: [], TEXT: [], CLASS: []}
    with unpacked(path) as folder:
        top = _top(folder)
        files = text.files(top)
        inside = [file for file in files if file.parent != top]
        by_file = not inside and (classes is None or {file.stem for file in files} <= set(classes))
        for file in inside or files:
            name = str(file.relative_to(top))
            if by_file:
                documents = [line for line in text.lines(file, encoding) if line.strip()]
            else:
                documents = ["".join(text.parts(file, encoding))]
            found[TEXT] += documents
            found[FILE] += [name] * len(documents)
            found[CLASS] += [file.stem if by_file else file.relative_to(top).parts[0]] * len(documents)
    table = pl.DataFrame(found)
    return nw.from_native(table if inside or by_file else table.drop(CLASS))


def _top(folder: Path) -> Path:
    """The first folder, going down, that holds more than a single folder."""
    while True:
        inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__MACOSX"))]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]
