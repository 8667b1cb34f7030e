"""Tables of series with one answer each: long (one row per step) or wide (one row per series)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from saiki.data._layout import Layout, layout_of, long_rows, wide_rows
from saiki.data._rows import Stretches, ranges
from saiki.data.columns import Columns, as_polars
from saiki.errors import DataError
from saiki.readers import read_frame

#: steps between rows may differ by so much of the usual one before time counts as irregular
UNEVEN = 0.01


@dataclass(frozen=True)
class Labelled(Stretches):
    """Many series, one after the other, and what is known of each as a whole.

    ids      [series] what identifies a series; in a wide table the number of its row
    lengths  [series]
    source   the channels, rows = steps; NaN and -1 are missing
    gap      [steps] time since the step before, 0 for the first, in units of the column (of times, microseconds);
             None without a column of times
    static   what does not change within a series, rows = series
    answers  [series] labels or numbers as they stand in the table, None where unknown; None if the column is absent
    group    [series] what must not be split, as codes; None without --group
    layout   which column is what
    notes    what a user should know, as sentences
    """

    ids: np.ndarray
    lengths: np.ndarray
    source: Columns
    gap: np.ndarray | None
    static: Columns
    answers: pl.Series | None
    group: np.ndarray | None
    layout: Layout
    notes: list[str] = field(default_factory=list)

    def select(self, series: np.ndarray | Sequence[int]) -> Labelled:
        """Only these series, in this order."""
        series = np.asarray(series, dtype=np.int64)
        steps = ranges(self.starts[series], self.lengths[series])
        return replace(
            self,
            ids=self.ids[series],
            lengths=self.lengths[series],
            source=self.source.take(steps),
            gap=None if self.gap is None else self.gap[steps],
            static=self.static.take(series),
            answers=None if self.answers is None else self.answers.gather(series),
            group=None if self.group is None else self.group[series],
        )

    @property
    def known(self) -> np.ndarray:
        """Which series have an answer: `[series]`."""
        if self.answers is None:
            return np.zeros(len(self), bool)
        missing = self.answers.is_null()
        return ~(missing | self.answers.is_nan() if self.answers.dtype.is_float() else missing).to_numpy()

    @cached_property
    def usual_gap(self) -> float:
        """The median time between steps; 0 where there is none."""
        inner = self._inner
        return 0.0 if self.gap is None or not inner.any() else float(np.median(self.gap[inner]))

    @property
    def irregular(self) -> bool:
        """Whether the time between steps differs."""
        if self.gap is None or not self.usual_gap:
            return False
        return bool((np.abs(self.gap[self._inner] / self.usual_gap - 1) > UNEVEN).any())

    @property
    def _inner(self) -> np.ndarray:
        """The steps that have one before them."""
        inner = np.ones(int(self.lengths.sum()), bool)
        inner[self.starts[self.lengths > 0]] = False
        return inner

    def fingerprint(self) -> str:
        """A hash of all of it: equal data, equal hash, whatever the file format or the order of the rows."""
        digest = hashlib.sha256()
        arrays = [self.ids.astype(str), self.lengths, self.source.numbers, self.source.codes]
        arrays += [self.static.numbers, self.static.codes, *([] if self.gap is None else [self.gap])]
        for part in arrays:
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update(str([] if self.answers is None else self.answers.to_list()).encode())
        return digest.hexdigest()

    def describe(self) -> list[tuple[str, str]]:
        """What was understood, as pairs of a word and what it says."""
        low, middle, high = (int(q) for q in np.quantile(self.lengths, [0, 0.5, 1], method="nearest"))
        span = f"{low:,} in each" if low == high else f"{low:,} to {high:,}, median {middle:,}"
        holes = np.isnan(self.source.numbers).mean() if self.source.numbers.size else 0.0
        rows = [
            ("series", f"{len(self):,}, {self.layout.form}"),
            ("steps", f"{int(self.lengths.sum()):,} ({span})"),
            ("channels", self.layout.channel_words(len(self.source.names))),
            ("time", self.layout.time_words(self.irregular)),
            ("missing values", f"{holes:.1%}" if holes >= 0.0005 else str(int(np.isnan(self.source.numbers).sum()))),
        ]
        if self.static:
            rows.append(("static", ", ".join(self.static.names)))
        if self.group is not None:
            rows.append(("groups", f"{len(np.unique(self.group)):,} of {self.layout.group}, never split"))
        return rows + [("note", note) for note in self.notes]


def labelled(data: Any, layout: Layout | None = None, **asked: Any) -> Labelled:
    """Read a table as asked (`source`, `target`, `id`, `time`, `static`, `group`, `channels`), or by a known layout.

    With a known layout the columns of answers and groups may be absent. DataError for a table that cannot be used.
    """
    if isinstance(data, np.ndarray):
        data = _from_array(data)
    frame = read_frame(data, names=(layout.id if layout else asked.get("id"),))
    if not len(frame):
        raise DataError("the table has no rows; expected series, one row per step or one row per series")
    table = {name: as_polars(frame[name]) for name in frame.columns}
    if layout is None:
        layout = layout_of(table, **asked)
    else:
        layout.check(table)
    return Labelled(**(wide_rows if layout.wide else long_rows)(table, layout))


def _from_array(data: np.ndarray) -> pl.DataFrame:
    """`[series, time]` as a wide table, `[series, time, channels]` as a long one."""
    if data.ndim == 2:
        return pl.DataFrame({str(k): column for k, column in enumerate(data.T, start=1)})
    if data.ndim != 3:
        raise DataError(f"the array has shape {data.shape}; expected [series, time] or [series, time, channels]")
    series, time = np.indices(data.shape[:2])
    channels = {f"channel-{k}": data[..., k].ravel() for k in range(data.shape[2])}
    return pl.DataFrame({"unique_id": series.ravel(), "ds": time.ravel(), **channels})
