"""Comma- and tab-separated text (`.csv`, `.tsv`, also gzipped): times are found, `NA` and its like are missing.

A file whose first line is numbers, not all of them whole and different (as names might be), has no header: its columns
are called 0, 1, 2, ….
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw

from saiki.readers._files import reading, records
from saiki.readers._times import parse_times
from saiki.record import Record

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "NaT", "?"]


class Reader:
    """Separator: tab for `.tsv` or where the first line has tabs only; a semicolon likewise; else a comma."""

    suffixes = SUFFIXES

    def frame(self, path: Path) -> nw.DataFrame:
        """The whole table, columns of times parsed; DataError names the line that is broken."""
        import polars as pl

        form = _form(path)
        frame = reading(
            path, "CSV", lambda: pl.read_csv(path, infer_schema_length=None, **form), lambda: _position(path, form)
        )
        return nw.from_native(with_times(_named(_unpadded(_with_zeros(frame, path, form)), form)))

    def read(self, path: Path) -> Iterator[Record]:
        """The rows as records, lazily; times stay text."""
        import polars as pl

        form = _form(path)
        return records(path, _named(pl.scan_csv(path, infer_schema_length=10_000, **form), form), "CSV")


def _named(frame: Any, form: dict) -> Any:
    """Columns of a file without a header by their numbers; a separator at the end of every line makes no column."""
    if form["has_header"]:
        return frame
    if hasattr(frame, "height") and frame.to_series(-1).null_count() == frame.height:
        frame = frame.drop(frame.columns[-1])
    return frame.rename({name: str(k) for k, name in enumerate(frame.collect_schema().names())})


def _unpadded(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers that are written with blanks before or after them."""
    import polars as pl

    found = {}
    for series in frame.iter_columns():
        if series.dtype != pl.String or not series.head(1000).str.contains(r"^\s|\s$").any():
            continue
        bare = series.str.strip_chars().replace(dict.fromkeys(MISSING))
        for kind in (pl.Int64, pl.Float64):
            number = bare.cast(kind, strict=False)
            if number.null_count() == bare.null_count():
                found[series.name] = number
                break
    return frame.with_columns(**found) if found else frame


def _with_zeros(frame: pl.DataFrame, path: Path, form: dict) -> pl.DataFrame:
    """Numbers that are written with zeros in front, such as 007, are names: those columns stay text."""
    import polars as pl

    whole = [name for name, kind in frame.schema.items() if kind.is_integer()]
    head = pl.read_csv(_head(path).rpartition("\n")[0].encode(), infer_schema=False, **form) if whole else frame
    named = [name for name in whole if name in head.columns and head[name].str.contains(r"^[-+]?0\d").any()]
    if not named:
        return frame
    texts = pl.read_csv(path, columns=named, schema_overrides=dict.fromkeys(named, pl.String), **form)
    return frame.with_columns(*texts.iter_columns())


def with_times(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every text column that holds times parsed."""
    parsed = {s.name: times for s in frame.iter_columns() if (times := parse_times(s)) is not None}
    return frame.with_columns(**parsed) if parsed else frame


def _form(path: Path) -> dict:
    head = _head(path)
    header, _, rest = head.partition("\n")
    tabbed = "\t" in header and "," not in header and ";" not in header
    separator = "\t" if ".tsv" in path.name.lower() or tabbed else ";" if ";" in header and "," not in header else ","
    comma = separator == ";" and re.search(r"(^|;)-?\d+,\d+(;|\r?$)", rest, re.MULTILINE) is not None
    form = {"separator": separator, "decimal_comma": comma, "null_values": MISSING}
    return form | {"has_header": not _numbers_alone(header.strip("\r").removesuffix(separator).split(separator))}


def _numbers_alone(names: list[str]) -> bool:
    """Whether a first line holds values: all are numbers, and they are no names, being fractions or not all different."""
    try:
        values = [float(name) for name in names]
    except ValueError:
        return False
    return len(names) > 1 and (any(v % 1 != 0 for v in values) or len(set(values)) < len(values))


def _head(path: Path) -> str:
    try:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
            return file.read(65_536).decode("utf-8", errors="replace")
    except (OSError, EOFError):  # a broken archive: the reader proper says so
        return ""


def _position(path: Path, form: dict) -> str:
    """`, line 12` for the first line whose number of fields is not the header's."""
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            rows = csv.reader(file, delimiter=form["separator"])
            width = len(next(rows, []))
            for row in rows:
                if row and len(row) != width:
                    return f", line {rows.line_num} ({len(row)} fields, the header has {width})"
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        pass
    return ""
