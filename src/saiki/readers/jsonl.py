"""JSON Lines (`.jsonl`, `.ndjson`): one object per line, times given as text are found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers._files import reading
from saiki.readers.csv import with_times
from saiki.record import Record

SUFFIXES = (".jsonl", ".ndjson")


class Reader:
    """A field that is absent from a line is missing there."""

    suffixes = SUFFIXES

    def frame(self, path: Path) -> nw.DataFrame:
        """The whole table, columns of times parsed; DataError names the line that is broken."""
        import polars as pl

        frame = reading(
            path, "JSON Lines", lambda: pl.read_ndjson(path, infer_schema_length=None), lambda: self._position(path)
        )
        return nw.from_native(with_times(frame))

    def read(self, path: Path) -> Iterator[Record]:
        """The lines as records, lazily; DataError names the line that is broken."""
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    fields = json.loads(line)
                except ValueError as error:
                    raise DataError(f"{path}, line {number}: not JSON ({error})") from error
                if not isinstance(fields, dict):
                    raise DataError(f"{path}, line {number}: a {type(fields).__name__}; expected an object {{…}}")
                yield Record(fields, f"{path}, line {number}")

    def _position(self, path: Path) -> str:
        """`, line 12` for the first line that is not an object."""
        number = 0
        try:
            for record in self.read(path):
                number = int(record.origin.rpartition(" ")[2])
        except (DataError, UnicodeDecodeError):
            return f", line {number + 1}"
        return ""
