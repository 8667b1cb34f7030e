"""Labelled series of the UEA and UCR archives (`.ts`): one series per line, channels between colons, its answer last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from saiki.errors import DataError
from saiki.readers._files import reading
from saiki.record import Record

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".ts",)


class Reader:
    """A long table: `unique_id` (the line among the data), `ds` (the step), channels, and `y` where the file has answers."""

    suffixes = SUFFIXES

    def frame(self, path: Path) -> nw.DataFrame:
        """The whole table; DataError names the line that is broken."""
        return nw.from_native(reading(path, ".ts", lambda: _table(path)))

    def read(self, path: Path) -> Iterator[Record]:
        """Each series as a record of its channels, arrays `[time]`, and its answer."""
        for channels, answer, origin in _series(path):
            fields: dict = {f"channel-{k}": values for k, values in enumerate(channels)}
            yield Record(fields | ({} if answer is None else {"y": answer}), origin)


def _table(path: Path) -> pl.DataFrame:
    import polars as pl

    parts, answers, lengths = [], [], []
    for channels, answer, origin in _series(path):
        if parts and len(channels) != len(parts[0]):
            raise ValueError(f"{origin}: {len(channels)} channels, the first series has {len(parts[0])}")
        size = max(map(len, channels))
        parts.append([np.pad(c, (0, size - len(c)), constant_values=np.nan) for c in channels])
        answers.append(answer)
        lengths.append(size)
    if not parts:
        raise ValueError("no series after @data")
    columns = {
        "unique_id": np.repeat(np.arange(len(parts)), lengths),
        "ds": np.concatenate([np.arange(n) for n in lengths]),
    }
    columns |= {f"channel-{k}": np.concatenate([p[k] for p in parts]) for k in range(len(parts[0]))}
    frame = pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))
    return frame if answers[0] is None else frame.with_columns(y=_answers(answers).gather(columns["unique_id"]))


def _answers(found: list[str]) -> pl.Series:
    """Whole numbers, numbers or text."""
    import polars as pl

    text = pl.Series("y", found)
    for kind in (pl.Int64, pl.Float64):
        if (number := text.cast(kind, strict=False)).null_count() == 0:
            return number
    return text


def _series(path: Path) -> Iterator[tuple[list[np.ndarray], str | None, str]]:
    """Channels, answer and origin of every line after @data."""
    answered, inside = True, False
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            text, origin = line.strip(), f"{path}, line {number}"
            word, _, value = text.lower().partition(" ")
            if word == "@data":
                inside = True
            elif word == "@timestamps" and value.strip() == "true":
                raise DataError(f"{origin}: times within the series cannot be read yet; expected @timeStamps false")
            elif word in ("@classlabel", "@targetlabel"):
                answered = value.split()[:1] == ["true"]
            elif inside and text and not text.startswith("#"):
                parts = text.split(":")
                answer = parts.pop().strip() if answered else None
                yield [_numbers(part, origin) for part in parts], answer, origin


def _numbers(text: str, origin: str) -> np.ndarray:
    try:
        return np.array([np.nan if v.strip() in ("?", "NaN") else float(v) for v in text.split(",")])
    except ValueError as error:
        raise DataError(f"{origin}: {error}; expected numbers between commas, ? where one is missing") from None
