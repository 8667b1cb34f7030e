"""Columns of any frame library as NumPy arrays, and covariates as numbers and codes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from saiki.errors import DataError

#: numbers larger than this have squares whose sums leave float64; they are mostly marks for missing values
LARGEST = 1e140
#: and numbers smaller than this are zero: a part of them leaves float64
SMALLEST = 1e-300


#: a column of text, of which such a share are numbers of more values than this, is one of numbers with faults
NUMBERS, CATEGORIES = 0.9, 30
#: names of the numbers of rows: those that pandas gives an index without a name, in CSV, read again, and in Parquet; ids
COUNTERS = re.compile(r"|Unnamed: \d+|__index_level_\d+__|((.*_)?id|.*[a-z]I[Dd]|ID|Id|index|idx)")
#: rows that a column with another name numbers, at least, if it is to be taken for their numbers
COUNTED = 10


@dataclass(frozen=True)
class Columns:
    """The covariates of one role.

    numbers  [rows, numeric] float64, NaN = missing
    codes    [rows, categorical] int32, -1 = missing; `values[k][code]` is the text behind a code of column k
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    numbers: np.ndarray
    codes: np.ndarray
    values: tuple[tuple[str, ...], ...]

    def take(self, rows: np.ndarray) -> Columns:
        """These rows (any shape); a row of -1 is missing everywhere."""
        if not self:
            numbers, codes = np.empty((*rows.shape, 0)), np.empty((*rows.shape, 0), np.int32)
        else:
            outside = (rows < 0)[..., None]
            numbers = np.where(outside, np.nan, self.numbers[rows])
            codes = np.where(outside, np.int32(-1), self.codes[rows])
        return Columns(self.numeric, self.categorical, numbers, codes, self.values)

    def empty(self, name: str) -> bool:
        """Whether this is a column of missing values alone: then it may have been one of text as well."""
        return name in self.numeric and bool(np.isnan(self.numbers[..., self.numeric.index(name)]).all())

    @property
    def names(self) -> tuple[str, ...]:
        return self.numeric + self.categorical

    def __bool__(self) -> bool:
        return bool(self.numeric or self.categorical)


def as_polars(series: nw.Series) -> pl.Series:
    """One column as a polars series, without needing pyarrow."""
    native = series.to_native()
    if isinstance(native, pl.Series):
        return native
    if series.dtype.is_numeric():
        numbers = series.to_numpy()
        if numbers.dtype.kind in "iufb":
            return pl.Series(series.name, numbers)
        return pl.Series(series.name, series.cast(nw.Float64).to_numpy().astype(float))
    if isinstance(series.dtype, nw.Datetime) and series.dtype.time_zone is None:
        moments = series.to_numpy()
        known = moments.dtype in ("datetime64[ms]", "datetime64[us]", "datetime64[ns]")
        return pl.Series(series.name, moments if known else moments.astype("datetime64[us]"))
    if isinstance(series.dtype, nw.Categorical | nw.Enum):
        series = series.cast(nw.String)
    values = [None if missing else v for v, missing in zip(series.to_list(), series.is_null().to_list(), strict=True)]
    if any(isinstance(v, float) for v in values) and all(v is None or type(v) in (int, float) for v in values):
        # objects of pandas, as spreadsheets and databases give them
        values = [None if v is None else float(v) for v in values]
    try:
        return pl.Series(series.name, values)
    except (TypeError, RuntimeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"column {series.name!r} holds values that cannot be read as one type; expected numbers, text or times"
        ) from error


def is_text(series: pl.Series) -> bool:
    """Whether a column holds text (a column without a single value holds nothing, so not text)."""
    return series.dtype in (pl.String, pl.Categorical, pl.Enum) and series.null_count() < len(series)


def numbers(series: pl.Series, role: str) -> np.ndarray:
    """A column as float64, missing as NaN; DataError if it holds text, times or infinities."""
    if series.null_count() == len(series):
        return np.full(len(series), np.nan)
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
        row = _first_odd(series)
        kind = "text" if is_text(series) else str(series.dtype)
        sample = f"such as {str(series[row])!r} in row {row + 1}"
        raise DataError(f"{role} column {series.name!r} holds {kind} ({sample}); expected numbers")
    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _first_odd(series: pl.Series) -> int:
    """The index of the value that shows best why a column is not one of numbers: the first that is none."""
    seen = series.is_not_null()
    if is_text(series):
        read = series.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
        odd = seen & ~read.is_finite().fill_null(False)
        seen = odd if odd.any() else seen
    return int(seen.to_numpy().argmax())


def covariates(table: dict[str, pl.Series], names: tuple[str, ...], rows: int) -> Columns:
    """Several columns as covariates: text and categories as codes, everything else as numbers."""
    categorical = tuple(n for n in names if is_text(table[n]))
    for name in categorical:
        _check_words(table[name])
    numeric = tuple(n for n in names if n not in categorical)
    values, codes = [], np.empty((rows, len(categorical)), np.int32)
    for k, name in enumerate(categorical):
        text = table[name].cast(pl.String)
        found = text.drop_nulls().unique().sort()
        values.append(tuple(found))
        codes[:, k] = text.cast(pl.Enum(found)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
    found = [numbers(table[n], "covariate") for n in numeric]
    return Columns(numeric, categorical, np.column_stack(found) if found else np.empty((rows, 0)), codes, tuple(values))


def _check_words(column: pl.Series) -> None:
    """DataError for a column of numbers in which a few rows hold text: as categories its numbers would mean nothing."""
    text = column.cast(pl.String).str.strip_chars()
    known = text.is_not_null()
    plain = text.cast(pl.Float64, strict=False)
    odd = known & plain.is_null()
    read = text.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False).drop_nulls()
    if odd.any() and len(read) >= NUMBERS * int(known.sum()) and read.n_unique() > CATEGORIES:
        row = int(odd.to_numpy().argmax())
        raise DataError(
            f"column {column.name!r} holds numbers, and text in {int(odd.sum())} rows, first {str(text[row])!r} in row {row + 1}; "
            "expected numbers with a decimal point, empty where they are missing"
        )


def identities(series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The different ids in order, and for each row the index of its id."""
    if series.dtype.is_float():  # a column of integers with a gap is one of floats in pandas
        whole = series.fill_nan(None)
        series = whole.cast(pl.Int64) if (whole.drop_nulls() % 1 == 0).all() and fits_int64(whole) else whole
    if series.null_count():
        raise DataError(
            f"id column {series.name!r}: {series.null_count()} rows have no id, the first is row "
            f"{first_null(series)}; expected an id in every row"
        )
    if not series.dtype.is_integer() or not fits_int64(series):
        text = series.cast(pl.String)
        found = text.unique().sort()
        codes = text.cast(pl.Enum(found)).to_physical().to_numpy()
        return np.array(found.to_list(), dtype=object), codes.astype(np.int64)
    values = series.to_numpy().astype(np.int64)
    found = np.unique(values)
    return found, np.searchsorted(found, values)


def fits_int64(series: pl.Series) -> bool:
    """Whether every number of a column can be held by 64 bits with a sign."""
    low, high = series.drop_nulls().min(), series.drop_nulls().max()
    return low is None or high is None or (low >= -(2**63) and high < 2**63)  # type: ignore[operator]


def first_null(series: pl.Series) -> int:
    """The number of the first row without a value, counted from 1."""
    return int(series.is_null().to_numpy().argmax()) + 1


def counts_rows(column: pl.Series) -> bool:
    """Whether a column numbers the rows: an index without a name as pandas writes it, one called `id`, or 0, 1, 2, … or 1, 2, 3, …

    The first two also where rows were drawn or shuffled: whole numbers, all of them different.
    """
    if not column.dtype.is_integer() or column.null_count() or len(column) < 2:
        return False
    if COUNTERS.fullmatch(column.name) and column.n_unique() == len(column):
        return True
    first = int(column[0])
    return len(column) >= COUNTED and first in (0, 1) and column.to_list() == list(range(first, first + len(column)))


def plain(value: Any) -> Any:
    """A number of NumPy as one of Python, for a message."""
    return value.item() if isinstance(value, np.generic) else value
