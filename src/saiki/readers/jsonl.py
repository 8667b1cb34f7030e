"""JSON Lines (`.jsonl`, `.ndjson`): one object per line, times given as text are found."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers._files import reading
from saiki.readers._text import SAVE, decoded, encoding_of, in_utf8, lines
from saiki.readers.csv import with_times
from saiki.record import ID, Record

SUFFIXES = (".jsonl", ".ndjson")


class Reader:
    """A field that is absent from a line is missing there."""

    suffixes = SUFFIXES

    def frame(self, path: Path, encoding: str | None = None, names: Collection[str] = ()) -> nw.DataFrame:
        """The whole table, columns of times parsed; DataError names the line that is broken."""
        import polars as pl

        frame = reading(
            path,
            "JSON Lines",
            lambda: pl.read_ndjson(in_utf8(path, encoding_of(path, encoding)), infer_schema_length=None),
            lambda: self._position(path),
        )
        return nw.from_native(with_times(frame, but={*names, ID}))

    def read(self, path: Path, encoding: str | None = None) -> Iterator[Record]:
        """The lines as records, lazily; DataError names the line that is broken."""
        for number, line in enumerate(lines(decoded(path, encoding_of(path, encoding), SAVE)), start=1):
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
        except DataError as error:
            if "of the line" in str(error):
                raise
            return f", line {number + 1}"
        return ""
