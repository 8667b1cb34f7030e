"""Where pairs of texts come from: parallel files, two columns of a table, or a list in Python."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from saiki.data.columns import as_polars
from saiki.errors import DataError, near_misses
from saiki.readers import is_table, read_frame
from saiki.readers import text as plain

#: columns of a table of pairs where none are named
COLUMNS = ("source", "target")


@dataclass(frozen=True)
class Pairs:
    """Texts side by side; where there is only the source, `target` is None."""

    source: list[str]
    target: list[str] | None
    left_out: int = 0  # pairs with an empty side

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Iterable[int]) -> Pairs:
        rows = list(rows)
        target = None if self.target is None else [self.target[row] for row in rows]
        return Pairs([self.source[row] for row in rows], target)

    def split(self, share: float, most: int) -> tuple[Pairs, Pairs]:
        """Training and held-out pairs: all pairs of one source are on one side, whatever their order."""
        if not share:
            return self, self.take([])
        marks = np.array([int(hashlib.sha256(s.encode()).hexdigest()[:12], 16) for s in self.source])
        border = np.sort(np.unique(marks))[: max(1, min(most, round(share * len(np.unique(marks)))))][-1]
        return self.take(np.flatnonzero(marks > border)), self.take(np.flatnonzero(marks <= border))


def pairs(
    data: Any,
    source: str | None = None,
    target: str | None = None,
    encoding: str | None = None,
    both: bool = True,
) -> Pairs:
    """The pairs of `data`.

    data    a table with two columns; text with two columns apart by tabs, of which source and target are numbers from 0;
            `train.en`, or `train`, with `train.de` beside it and the endings as source and target; a list of pairs
    both    the target must be there; without it, it is not read: a list of texts, a text file or one column is enough

    Raises DataError for what holds no pairs, and for parallel files of different length, with both counts.
    """
    if isinstance(data, str | Path):
        found = _of_path(Path(data), source, target, encoding, both)
    elif isinstance(data, list | tuple):
        found = _of_list(data, both)
    elif not both and hasattr(data, "to_list") and not hasattr(data, "columns"):  # a Series
        found = _texts(pl.Series("source", data.to_list()), "source"), None
    else:
        found = _of_table(data, source, target, both)
    return _filled(*found)


def _of_path(path: Path, source: str | None, target: str | None, encoding: str | None, both: bool):
    if beside := _parallel(path, source, target, both):
        return _parallel_lines(beside, encoding)
    if not path.exists() and source and target:
        wanted = f"s: {path}.{source} and {path}.{target}" if both else f": {path} or {path}.{source}"
        raise DataError(f"no such file{wanted}; expected parallel files, or a table")
    if is_table(path):
        if _numbers(source, target):
            return _of_columns(path, *_sides(source, target), encoding, both)
        return _of_table(path, source, target, both, encoding)
    if _numbers(source, target, usual=True):
        return _of_columns(path, *_sides(source, target), encoding, both)
    if both:
        raise DataError(
            f"{path}: got one file of text; expected a table, or its other half beside it "
            "(saiki train translate train --source en --target de reads train.en and train.de)"
        )
    return list(plain.lines(path, encoding)), None


def _sides(source: str | None, target: str | None) -> tuple[int, int]:
    """The numbers of both columns; of one that is named alone, the first other one is the other side."""
    if source is None and target is None:
        return 0, 1
    one, other = (None if side is None else int(side) for side in (source, target))
    return int(other == 0) if one is None else one, int(one == 0) if other is None else other


def _numbers(source: str | None, target: str | None, usual: bool = False) -> bool:
    given = [name for name in (source, target) if name is not None]
    return all(name.isdigit() for name in given) and (usual or bool(given))


def _parallel(path: Path, source: str | None, target: str | None, both: bool) -> list[Path]:
    """Two files whose names differ by their endings, packed or not, or the one with the source; none where there are no such."""
    name, packed = path.name.removesuffix(".gz"), ".gz" if path.name.endswith(".gz") else ""
    stem, _, own = name.rpartition(".")
    source = source or (own if both and path.exists() and own else None)
    if not source or not target:
        return []
    stems = [name, *([stem] if stem and own in (source, target) else [])]
    for begin in stems:
        for end in (packed, "", ".gz"):
            found = [path.with_name(f"{begin}.{side}{end}") for side in (source, target)[: 1 + both]]
            if all(file.is_file() for file in found):
                return found
    return []


def _parallel_lines(files: list[Path], encoding: str | None) -> tuple[list[str], list[str] | None]:
    sides = [list(plain.lines(file, encoding)) for file in files]
    if len({len(side) for side in sides}) > 1:
        one, other = (f"{file} has {len(side):,}" for file, side in zip(files, sides, strict=True))
        raise DataError(f"{one} lines, {other}; expected as many: line k of one for line k of the other")
    return sides[0], sides[1] if len(sides) > 1 else None


def _of_columns(path: Path, source: int, target: int, encoding: str | None, both: bool):
    """Lines of text cut at tabs; without the target, a line without a tab is the source."""
    one, other = [], []
    for number, line in enumerate(plain.lines(path, encoding), 1):
        cells = line.split("\t")
        if not both and len(cells) == 1:
            cells = [line] * (source + 1)
        if len(cells) <= max(source, target if both else 0):
            raise DataError(
                f"{path}, line {number}: got {len(cells)} columns apart by tabs; expected columns {source} and {target} (from 0)"
            )
        one.append(cells[source])
        other.append(cells[target] if both else "")
    return one, other if both else None


def _of_table(data: Any, source: str | None, target: str | None, both: bool, encoding: str | None = None):
    frame = read_frame(data, as_text=True, encoding=encoding)
    names = (source or COLUMNS[0], target or COLUMNS[1])
    for name in names if both else names[:1]:
        if name not in frame.columns:
            raise DataError(
                f"no column called {name!r}{near_misses(name, frame.columns)} (there are: {', '.join(frame.columns)}); "
                "name both with --source and --target"
            )
    found = [_texts(as_polars(frame[name]), name) for name in names[: 1 + both]]
    return found[0], found[1] if both else None


def _texts(values: pl.Series, name: str) -> list[str]:
    """A column as texts; numbers and times as they are usually written."""
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
        row = int(values.is_not_null().arg_max() or 0)
        raise DataError(f"column {name!r}, row {row + 1}: got {values.to_list()[row]!r}; expected text")
    if values.dtype == pl.Datetime and (values == values.dt.truncate("1d")).all():
        values = values.dt.date()
    return values.cast(pl.String).fill_null("").to_list()


def _of_list(data: Sequence[Any], both: bool):
    if all(isinstance(one, str) for one in data) and not both:
        return list(data), None
    read = slice(1 + both)
    if not all(isinstance(p, list | tuple) and len(p) == 2 and all(isinstance(t, str) for t in p[read]) for p in data):
        raise DataError("the data is a list of something else; expected pairs of texts: [('a text', 'its answer'), …]")
    return [p[0] for p in data], [p[1] for p in data] if both else None


def _filled(source: list[str], target: list[str] | None) -> Pairs:
    """Pairs without those that have an empty side; a source alone keeps its rows."""
    if target is None:
        return Pairs(source, None)
    kept = [row for row, (one, other) in enumerate(zip(source, target, strict=True)) if one.strip() and other.strip()]
    whole = Pairs(source, target).take(kept)
    return Pairs(whole.source, whole.target, len(source) - len(kept))
