"""Labels: one of several classes, or one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from saiki.errors import DataError

#: more classes than this are a mistake, or another task
MOST = 1000
#: rows from which classes of one row each are taken for names
ALONE = 10


@dataclass(frozen=True)
class LabelCodec:
    """Classes in order; a code is the place of a class. `kind` is how the column was written: text, integer or boolean."""

    classes: tuple[Any, ...]
    kind: str

    @classmethod
    def fit(cls, labels: pl.Series) -> LabelCodec:
        """From the labels of the training data, without the missing ones; DataError for fewer than two classes or too many."""
        kind, values = _values(labels)
        classes = sorted({v for v in values if v is not None})
        if len(classes) < 2:
            got = f"only {classes[0]!r}" if classes else "no value"
            raise DataError(f"column {labels.name!r} holds {got}; expected two classes or more to tell apart")
        if len(classes) > MOST:
            raise DataError(
                f"column {labels.name!r} has {len(classes):,} different values; expected at most {MOST} classes "
                "(numbers are for saiki train regress)"
            )
        if len(classes) == sum(v is not None for v in values) >= ALONE:
            raise DataError(
                f"column {labels.name!r} has another value in each of {len(classes):,} rows; expected classes that several have "
                "(is it the right --target?)"
            )
        return cls(tuple(classes), kind)

    @property
    def names(self) -> list[str]:
        return [str(c) for c in self.classes]

    def encode(self, labels: pl.Series) -> np.ndarray:
        """Codes `[rows]`; -1 where a label is missing, or was not among the classes."""
        place = {c: k for k, c in enumerate(self.classes)}
        kind, values = _values(labels)
        if kind != self.kind:
            values = [None if v is None else self._as_kind(v) for v in values]
        return np.array([place.get(v, -1) for v in values], np.int64)

    def decode(self, codes: np.ndarray, name: str) -> pl.Series:
        """Classes as a column of the kind that the labels had."""
        kinds: dict[str, Any] = {"text": pl.String, "integer": pl.Int64, "boolean": pl.Boolean}
        return pl.Series(name, [self.classes[k] for k in codes], dtype=kinds[self.kind])

    def _as_kind(self, value: Any) -> Any:
        if self.kind == "text":
            return str(value)
        text = str(value).strip()
        return int(text) if self.kind == "integer" and text.lstrip("+-").isdigit() else value

    def to_json(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "kind": self.kind}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LabelCodec:
        return cls(tuple(data["classes"]), data["kind"])


@dataclass(frozen=True)
class NumberCodec:
    """A number as it goes into training: z = (y - mean) / spread."""

    mean: float
    spread: float

    @classmethod
    def fit(cls, values: np.ndarray) -> NumberCodec:
        """From the training part; a column without spread keeps its unit."""
        spread = float(values.std())
        return cls(float(values.mean()), spread if spread > 0 else 1.0)

    def encode(self, values: np.ndarray) -> np.ndarray:
        return (values - self.mean) / self.spread

    def decode(self, z: np.ndarray) -> np.ndarray:
        return z * self.spread + self.mean

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "spread": self.spread}


def _values(labels: pl.Series) -> tuple[str, list[Any]]:
    """The kind of a column and its values; whole numbers stay whole however they were written."""
    if labels.dtype == pl.Boolean:
        return "boolean", labels.to_list()
    if labels.dtype.is_numeric():
        bare = labels.fill_nan(None) if labels.dtype.is_float() else labels
        if (bare.drop_nulls() % 1 != 0).any():
            some = next(v for v in bare.drop_nulls() if v % 1)
            raise DataError(
                f"column {labels.name!r} holds fractions such as {some}; expected classes (text or whole numbers); "
                "for numbers use saiki train regress"
            )
        return "integer", bare.cast(pl.Int64).to_list()
    return "text", labels.cast(pl.String).to_list()
