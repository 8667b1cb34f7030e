"""What is in a file: of a table its columns, of text how much of it there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import narwhals as nw
import polars as pl

from saiki.data.clock import shown
from saiki.data.columns import as_polars
from saiki.readers import _collection

#: labels and columns that are listed
LISTED, COLUMNS = 12, 15


def of_text(path: Path) -> list[tuple[str, str]] | None:
    """Documents, characters, words and classes of text, a folder of it or an archive; None for a table."""
    if (found := _collection.documents(path)) is None:
        return None
    texts = found[_collection.TEXT].to_list()
    characters, words = Counter[str](), Counter[str]()
    for document in texts:
        characters.update(document)
        words.update(document.split())
    whole = _collection.is_collection(path) or _collection.CLASS in found.columns
    longest = max(map(len, texts), default=0)
    rows = [("documents" if whole else "lines", f"{len(texts):,}, the longest of {longest:,} characters")]
    rows.append(("characters", f"{characters.total():,}, {len(characters):,} different"))
    rows.append(("words", f"{words.total():,} between blanks, {len(words):,} different"))
    if _collection.CLASS in found.columns:
        rows.append(("classes", counted(found[_collection.CLASS])))
    return rows


def of_columns(frame: nw.DataFrame) -> list[tuple[str, str]]:
    """Every column of a table: what kind of values it has, how many are missing, where they lie."""
    rows = [("column", f"{name}: {_column(as_polars(frame[name]))}") for name in frame.columns[:COLUMNS]]
    if len(more := frame.columns[COLUMNS:]) > 1:
        return [*rows, ("column", f"and {len(more):,} more, {more[0]} to {more[-1]}")]
    return rows + [("column", f"{name}: {_column(as_polars(frame[name]))}") for name in more]


def are_labels(column: nw.Series) -> bool:
    """Whether a column is one of text, and not of numbers of which some cannot be read."""
    values = as_polars(column)
    if values.dtype != pl.String:
        return False
    return values.cast(pl.Float64, strict=False).count() < 0.5 * values.count()


def counted(labels: nw.Series) -> str:
    """Values and how often each of them is there, the most frequent first."""
    every = Counter(map(str, labels.drop_nulls().to_list())).most_common()
    told = ", ".join(f"{name} ({count:,})" for name, count in every[:LISTED])
    return f"{len(every):,}: {told}" + (f", and {len(every) - LISTED:,} more" if len(every) > LISTED else "")


def _column(values: pl.Series) -> str:
    known = values.drop_nulls()
    known = known.drop_nans() if values.dtype.is_float() else known
    missing = len(values) - len(known)
    told = _kind(values, known) if len(known) else "nothing but missing values"
    return told + (f", {missing:,} missing" if missing and len(known) else "")


def _kind(values: pl.Series, known: pl.Series) -> str:
    if values.dtype in (pl.Date, pl.Datetime):
        zone = getattr(values.dtype, "time_zone", None)
        known = known.dt.replace_time_zone(None) if zone else known
        moments = known.to_numpy()
        return f"times from {shown(moments.min())} to {shown(moments.max())}" + (f", {zone}" if zone else "")
    if values.dtype.is_numeric():
        whole = "whole numbers" if values.dtype.is_integer() else "numbers"
        return f"{whole} from {known.min():.6g} to {known.max():.6g}, mean {known.mean():.6g}"
    if values.dtype == pl.String:
        different = known.n_unique()
        return f"text, {different:,} different, such as {known[0][:30]!r}"
    return str(values.dtype).lower()
