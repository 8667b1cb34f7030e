"""Raw files to records and frames: one file per format, chosen by the file's suffix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, cast

import narwhals as nw

from saiki import catalog
from saiki.errors import DataError, near_misses
from saiki.readers._files import check_file
from saiki.readers._separated import separated
from saiki.readers._times import first_odd, parse_times, readings
from saiki.record import Record

#: what stands between the parts of a name that several columns tell together
BETWEEN = "/"

__all__ = ["first_odd", "parse_times", "read", "read_frame", "reader_for", "readings", "suffixes"]


def suffixes() -> dict[str, str]:
    """Every suffix that can be read -> the reader that reads it."""
    return {s: name for name in catalog.names("readers") for s in catalog.load("readers", name).SUFFIXES}


def reader_for(path: str | Path) -> Any:
    """The reader of a file, by suffix; the longest suffix wins (`.csv.gz` before `.gz`); without one, a table's by its look."""
    path, known = Path(path), suffixes()
    for suffix in sorted(known, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return catalog.load("readers", known[suffix]).Reader()
    if not path.suffix and path.is_file() and separated(path):
        return catalog.load("readers", "csv").Reader()
    got = "".join(path.suffixes[-2:]) or "no suffix"
    raise DataError(
        f"{path}: cannot read a file with {got}{near_misses(path.suffix or path.name, known)} "
        f"(expected one of {' '.join(sorted(known))})"
    )


def read(path: str | Path, encoding: str | None = None, as_text: bool = False) -> Iterator[Record]:
    """The records of a file, one after the other; nothing but the current part of the file is held in memory.

    encoding  of files that are text, where it was told
    as_text   files in which everything is text anyway are read as they are written, as `read_frame` has it
    """
    check_file(Path(path))
    return _taking(reader_for(path).read, encoding=encoding, as_text=as_text)(Path(path))


def _taking(method: Callable[..., Any], **given: Any) -> Callable[..., Any]:
    """The method of a reader with what was told and it knows of: the encoding of files that have any."""
    known = signature(method).parameters
    return partial(method, **{name: value for name, value in given.items() if value and name in known})


def is_table(path: Path) -> bool:
    """Whether the suffix of a file is that of a table."""
    name = path.name.lower()
    return any(name.endswith(suffix) for suffix, reader in suffixes().items() if reader != "text")


def read_frame(
    source: Any, as_text: bool = False, encoding: str | None = None, names: Collection[str | None] = ()
) -> nw.DataFrame:
    """A table as a narwhals frame, from a path or from a pandas, polars, pyarrow or narwhals frame.

    as_text   files in which everything is text anyway are read as they are written, without numbers, times and words for missing
    encoding  of such files, where it was told
    names     columns of such files that hold names, whole numbers or as they are written: no 1.10 becomes 1.1, no 2024-01 a time;
              where there is none called `store/item`, but a `store` and an `item`, there is one with both behind each other
    A lazy frame is collected. A pandas index that has a name (or holds times) becomes a column. Files come as polars.
    Raises DataError for a missing, empty, unknown or broken file and for anything that is not a frame.
    """
    known = frozenset(filter(None, names))
    if isinstance(source, str | Path):
        path = Path(source)
        check_file(path)
        reader = reader_for(path)
        method = reader.texts if as_text and hasattr(reader, "texts") else reader.frame
        every = known | {part for name in known for part in name.split(BETWEEN)}
        frame = _taking(method, encoding=encoding, names=every)(path)
        if not len(frame):
            raise DataError(f"{path} has no rows; expected a header and at least two rows")
        return _with_joined(frame, known)
    framed = isinstance(source, nw.DataFrame) or type(source).__name__ == "LazyFrame"
    columns = [] if framed else list(getattr(source, "columns", []))
    called = [] if hasattr(source, "column_names") else columns
    if any(not isinstance(c, str) for c in called):
        if any(isinstance(c, tuple) for c in called) or not hasattr(source, "rename"):
            raise DataError(f"the columns are called {', '.join(map(repr, called[:5]))}; expected names that are text")
        source = cast(Any, source).rename(columns=str)  # as those of a file without a header
    called = list(map(str, called))
    if len(set(called)) < len(called):
        twice = next(c for c in called if called.count(c) > 1)
        raise DataError(f"two columns are called {twice!r}; expected every column once")
    frame = nw.from_native(_with_index(source), pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        raise DataError(
            f"the data is a {type(source).__name__}; expected a path or a pandas, polars or pyarrow frame "
            "with one row per step"
        )
    return _with_joined(frame, known)


def _with_joined(frame: nw.DataFrame, names: Collection[str]) -> nw.DataFrame:
    """The frame with columns that names of several others ask for: `store/item`, a text; missing where one of them is."""
    asked = {name: name.split(BETWEEN) for name in names if name not in frame.columns and BETWEEN in name}
    made = [
        nw.concat_str([nw.col(part).cast(nw.String) for part in parts], separator=BETWEEN).alias(name)
        for name, parts in asked.items()
        if all(part in frame.columns for part in parts)
    ]
    return frame.with_columns(made) if made else frame


def _with_index(source: Any) -> Any:
    """A pandas frame whose index carries names or times, with the index as columns."""
    if type(source).__module__.partition(".")[0] != "pandas" or not hasattr(source, "reset_index"):
        return source
    if not hasattr(source, "columns"):  # a pandas Series
        source = source.to_frame(source.name or "y")
    spans = [name for name, kind in source.dtypes.items() if type(kind).__name__ == "PeriodDtype"]
    if spans:
        source = source.assign(**{name: source[name].dt.to_timestamp() for name in spans})
    index = source.index
    if type(index).__name__ == "PeriodIndex":
        source, index = source.set_axis(index.to_timestamp(), axis=0), index.to_timestamp()
    if index.names == [None] and type(index).__name__ == "DatetimeIndex" and "ds" not in source.columns:
        return source.rename_axis("ds").reset_index()
    if any(name is not None for name in index.names):
        unknown = [name for name in index.names if name is not None and name not in source.columns]
        return source.reset_index(level=unknown) if unknown else source
    return source
