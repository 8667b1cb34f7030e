"""JSON Lines (`.jsonl`, `.ndjson`): one object per line, times given as text are found."""

from __future__ import annotations

import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

import narwhals as nw

from saiki.errors import DataError
from saiki.readers._files import reading
from saiki.readers._text import not_utf8, opened
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
            path,
            "JSON Lines",
            lambda: pl.read_ndjson(_unmarked(path), infer_schema_length=None),
            lambda: self._position(path),
        )
        return nw.from_native(with_times(frame))

    def read(self, path: Path) -> Iterator[Record]:
        """The lines as records, lazily; DataError names the line that is broken."""
        with opened(path) as file:
            for number, line in enumerate(file, start=1):
                line = _decoded(path, number, line)
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
            if "UTF-8" in str(error):
                raise
            return f", line {number + 1}"
        return ""


def _decoded(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise not_utf8(path, number) from None


def _unmarked(path: Path) -> Path | io.BytesIO:
    """The file, or what stands behind its byte order mark."""
    with path.open("rb") as file:
        if file.read(len(BOM_UTF8)) != BOM_UTF8:
            return path
        return io.BytesIO(file.read())
