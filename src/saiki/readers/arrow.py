"""Arrow IPC files and streams (`.arrow`, `.ipc`, `.feather`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import narwhals as nw

from saiki.readers._files import literal, reading, records
from saiki.record import Record

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".arrow", ".feather", ".ipc")
_MAGIC = b"ARROW1"  # how the file format begins; the stream format has no magic


class Reader:
    """Types come from the file."""

    suffixes = SUFFIXES

    def frame(self, path: Path) -> nw.DataFrame:
        """The whole table; DataError if the file is broken."""
        return nw.from_native(reading(path, "Arrow", lambda: _load(path)))

    def read(self, path: Path) -> Iterator[Record]:
        """The rows as records: lazily from a file; a stream is read whole first."""
        import polars as pl

        if _is_file(path):
            return records(path, pl.scan_ipc(literal(path)), "Arrow")
        return records(path, self.frame(path).to_native().lazy(), "Arrow")


def _load(path: Path) -> pl.DataFrame:
    import polars as pl

    if _is_file(path):
        return pl.read_ipc(literal(path))
    with path.open("rb") as file:
        return pl.read_ipc_stream(file)


def _is_file(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
