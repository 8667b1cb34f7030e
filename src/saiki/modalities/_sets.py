"""Sets of labels: any number of several classes, as lists or as text with a separator in it."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from saiki.errors import DataError, SaikiWarning
from saiki.modalities.label import MOST

#: what may stand between labels, where nobody says what does
SEPARATORS = ("|", ";", ",")


@dataclass(frozen=True)
class LabelSetCodec:
    """Classes in order; separator is None where the column holds lists. An empty text, or list, is the empty set."""

    classes: tuple[str, ...]
    separator: str | None

    @classmethod
    def fit(cls, labels: pl.Series, separator: str | None) -> LabelSetCodec:
        """From the labels of the training data; DataError for fewer than two classes or too many."""
        if isinstance(labels.dtype, pl.List | pl.Array):
            separator = None
        elif separator is None:
            texts = labels.cast(pl.String).drop_nulls()
            separator = max(SEPARATORS, key=lambda s: int(texts.str.contains(s, literal=True).sum()))
        classes = sorted({name for one in _sets(labels, separator) if one is not None for name in one})
        if not 2 <= len(classes) <= MOST:
            between = f"apart by {separator!r}" if separator else "in lists"
            raise DataError(
                f"column {labels.name!r} holds {len(classes):,} different labels {between}; expected 2 to {MOST} "
                "(what stands between labels is --separator)"
            )
        return cls(tuple(classes), separator)

    @property
    def names(self) -> list[str]:
        return list(self.classes)

    def encode(self, labels: pl.Series) -> np.ndarray:
        """0 and 1 `[rows, classes]`, float32. Labels that were not among the classes are passed over, with a warning; DataError
        where there are no others. Text is parted by what parts it into the most known labels, the own separator first."""
        place = {name: k for k, name in enumerate(self.classes)}
        between = [self.separator, *SEPARATORS] if self.separator else list(SEPARATORS)
        read = [_sets(labels, one) for one in (between if labels.dtype == pl.String else between[:1])]
        sets = max(read, key=lambda rows: sum(name in place for row in rows for name in row or ()))
        every = Counter(name for row in sets for name in row or ())
        if strange := [name for name in every if name not in place]:
            count = f"{sum(every[name] for name in strange):,} of {every.total():,}"
            told = f"column {labels.name!r}: {count} labels, such as {strange[0]!r},"
            if len(strange) == len(every):
                raise DataError(
                    f"{told} are not among those of training; expected some of {', '.join(self.classes[:10])}"
                )
            warnings.warn(
                f"{told} are not among those of training, and left out of the truth.", SaikiWarning, stacklevel=2
            )
        found = np.zeros((len(labels), len(self.classes)), np.float32)
        for row, one in enumerate(sets):
            found[row, [place[name] for name in one or () if name in place]] = 1
        return found

    def decode(self, chosen: np.ndarray, name: str) -> pl.Series:
        """From `[rows, classes]`, true where a class is given: a column as the labels were."""
        rows = [[self.classes[k] for k in np.flatnonzero(row)] for row in chosen]
        if self.separator is None:
            return pl.Series(name, rows, dtype=pl.List(pl.String))
        return pl.Series(name, [self.separator.join(row) for row in rows], dtype=pl.String)

    def to_json(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "separator": self.separator}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LabelSetCodec:
        return cls(tuple(data["classes"]), data["separator"])


def _sets(labels: pl.Series, separator: str | None) -> list[list[str] | None]:
    """The labels of every row, without spaces around them; None where the row is missing. Lists may come as text with `|`."""
    if isinstance(labels.dtype, pl.List | pl.Array):
        rows = labels.to_list()
    else:
        between = separator or SEPARATORS[0]
        rows = [None if v is None else str(v).split(between) for v in labels.cast(pl.String).to_list()]
    return [
        None if row is None else [name for part in row if part is not None and (name := str(part).strip())]
        for row in rows
    ]
