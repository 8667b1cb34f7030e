"""What all readers share: check the file, tell a broken one in one line, cut frames into records."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from saiki.errors import DataError, near_misses
from saiki.record import Record

if TYPE_CHECKING:
    import polars as pl


def check_file(path: Path) -> None:
    """DataError unless `path` is a file with something in it."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; expected a file")
    if not path.exists():
        folder = path.parent
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        where = "" if folder.is_dir() else f" (there is no folder {folder} either)"
        raise DataError(f"{path}: no such file{near_misses(path.name, names)}{where}")
    if not path.is_file():
        raise DataError(
            f"{path} is a pipe or a device; expected a file, which is read more than once: write the data to one first"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); expected a file with something in it")


def literal(path: Path) -> str:
    """The path for polars, which takes [ ] * ? for a pattern of many files."""
    return glob.escape(str(path))


def reading(path: Path, form: str, load: Callable[[], pl.DataFrame], where: Callable[[], str] = str) -> pl.DataFrame:
    """`load()`, with whatever goes wrong in it told as one line; `where` finds the position of the fault."""
    import polars as pl

    try:
        return load()
    except (pl.exceptions.PolarsError, OSError, ValueError, EOFError, csv.Error) as error:
        raise DataError(f"{path}{where()}: not a readable {form} file ({_plain(error)})") from error


def _plain(error: Exception) -> str:
    """What the library says, without its advice to programmers."""
    text = " ".join(str(error).split())
    return re.split(r" (?:Consider setting|The current offset|You might want)", text)[0][:160]


def records(path: Path, lazy: pl.LazyFrame, form: str, where: Callable[[], str] = str) -> Iterator[Record]:
    """The rows of a lazily read table as records, part by part; `where` finds the position of a fault."""
    import polars as pl

    row = 0
    try:
        for part in lazy.collect_batches(maintain_order=True):
            for fields in part.iter_rows(named=True):
                row += 1
                yield Record(fields, f"{path}, row {row}")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path}{where() or f', after row {row}'}: not a readable {form} file ({_plain(error)})"
        ) from error
