"""Parquet tables (`.parquet`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import narwhals as nw

from saiki.readers._files import literal, reading, records
from saiki.record import Record

SUFFIXES = (".parquet", ".pq")


class Reader:
    """Types come from the file."""

    suffixes = SUFFIXES

    def frame(self, path: Path) -> nw.DataFrame:
        """The whole table; DataError if the file is broken."""
        import polars as pl

        return nw.from_native(reading(path, "Parquet", lambda: pl.read_parquet(literal(path))))

    def read(self, path: Path) -> Iterator[Record]:
        """The rows as records, lazily."""
        import polars as pl

        return records(path, pl.scan_parquet(literal(path)), "Parquet")
