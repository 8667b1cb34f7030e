"""Forecasts as a frame of the library that the data came in, and frames as files."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import polars as pl

from saiki.data.clock import unclock
from saiki.data.columns import as_polars
from saiki.data.roles import ID, TIME
from saiki.errors import DataError, near_misses
from saiki.readers import read_frame
from saiki.storage import replacing_file

if TYPE_CHECKING:
    from saiki.data.panel import Panel

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".parquet", ".pq", ".jsonl", ".ndjson", ".arrow", ".feather", ".ipc")
#: what stands between the parts of a list in CSV
BETWEEN = " | "


def forecast_frame(
    panel: Panel,
    times: np.ndarray,
    columns: dict[str, np.ndarray],
    like: Any = None,
    id: str | None = None,
    time: str | None = None,
) -> Any:
    """A long frame: one row per series and step, the id, the time and one column per entry of `columns`.

    times    [series, horizon]
    columns  name -> [series, horizon]
    like     a frame whose library the answer is in; polars without one
    id, time names of these columns; default those of the data, else `unique_id` and `ds`
    """
    horizon = times.shape[1]
    id, time = id or panel.roles.id or ID, time or panel.roles.time or TIME
    kept_apart((id, time), columns)
    found = [_ids(id, panel.ids, horizon), unclock(times.ravel(), panel.clock, time)]
    found += [pl.Series(name, np.ascontiguousarray(values).ravel()) for name, values in columns.items()]
    return native(pl.DataFrame(found), like)


def kept_apart(names: Iterable[str | None], answers: Iterable[str]) -> None:
    """DataError if a column of the data that comes back is called as one of the answer's."""
    if twice := sorted({name for name in names if name} & set(answers)):
        raise DataError(f"column {twice[0]!r} of the data is called as one of the answer's; give it another name")


def _ids(name: str, ids: np.ndarray, horizon: int) -> pl.Series:
    kind = pl.Int64 if ids.dtype.kind == "i" else pl.String
    return pl.Series(name, ids.tolist(), dtype=kind).gather(np.repeat(np.arange(len(ids)), horizon))


def native(frame: pl.DataFrame, like: Any = None) -> Any:
    """A polars frame in the library of `like`; missing floats are NaN in pandas and null elsewhere."""
    like = like.to_native() if isinstance(like, nw.DataFrame | nw.LazyFrame) else like
    library = "polars" if like is None or isinstance(like, str | Path) else type(like).__module__.partition(".")[0]
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame({s.name: _pandas(s) for s in frame.iter_columns()})
    clean = frame.with_columns(pl.selectors.float().fill_nan(None))
    return clean.to_arrow() if library == "pyarrow" else clean


def as_given(data: Any) -> Any:
    """The frame whose library answers are in; None for files, arrays, lists and Series."""
    return data if hasattr(data, "columns") else None


def like_rows(answer: Any, data: Any) -> Any:
    """An answer with a row for each row of a pandas frame or Series, with the index of that, which pandas goes by."""
    if type(data).__module__.partition(".")[0] != "pandas" or len(answer) != len(data):
        return answer
    if not hasattr(answer, "set_axis"):
        return answer
    return answer.set_axis(data.index, axis=0)


def _pandas(series: pl.Series) -> Any:
    import pandas as pd

    if series.dtype in (pl.Date, pl.String):
        return pd.Series(series.to_list(), dtype=object if series.dtype == pl.Date else None)
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
        utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
        return pd.Series(utc).dt.tz_localize("UTC").dt.tz_convert(series.dtype.time_zone)
    return series.to_numpy()


def write_frame(frame: Any, path: str | Path) -> None:
    """Write a frame of any library; the suffix says how. The file appears whole or not at all.

    It is written beside its place and renamed. DataError for an unknown suffix, an absent folder or a full disk.
    """
    path = Path(path)
    suffix = check_suffix(path)
    table = read_frame(frame)
    polars = pl.DataFrame([as_polars(table[name]) for name in table.columns])
    with replacing_file(path, pl.exceptions.PolarsError) as beside, beside.open("wb") as file:
        _write(polars, file, suffix)


def check_suffix(path: Path) -> str:
    """The suffix that says how a file is written; DataError for one that is not known."""
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(s)), None)
    if suffix is None:
        got = path.suffix or "no suffix"
        raise DataError(
            f"{path}: cannot write a file with {got}{near_misses(path.suffix or path.name, SUFFIXES)} "
            f"(expected one of {' '.join(SUFFIXES)})"
        )
    return suffix


def without_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """The same for CSV, which holds no lists: those are text with ` | ` between their parts, as sets of labels are read.

    Times are as short as they can be, so that days look like the days that were read.
    """
    lists = [column for column in frame if isinstance(column.dtype, pl.List | pl.Array)]
    joined = frame.with_columns(column.cast(pl.List(pl.String)).list.join(BETWEEN) for column in lists)
    return joined.with_columns(short(c) for c in joined if isinstance(c.dtype, pl.Datetime))


def short(times: pl.Series) -> pl.Series:
    """Days as dates, and no parts of seconds where there are none."""
    known = times.drop_nulls()
    if not (known == known.dt.truncate("1s")).all():
        return times
    if times.dtype.time_zone is not None:  # type: ignore[attr-defined]
        return times.dt.to_string("%Y-%m-%dT%H:%M:%S%:z")
    days = (known == known.dt.truncate("1d")).all()
    return times.cast(pl.Date) if days else times.dt.to_string("%Y-%m-%dT%H:%M:%S")


def _write(frame: pl.DataFrame, file: Any, suffix: str) -> None:
    if suffix in (".parquet", ".pq"):
        frame.write_parquet(file)
    elif suffix in (".jsonl", ".ndjson"):
        frame.with_columns(short(c) for c in frame if isinstance(c.dtype, pl.Datetime)).write_ndjson(file)
    elif suffix in (".arrow", ".feather", ".ipc"):
        frame.write_ipc(file)
    elif suffix == ".csv.gz":
        file.write(gzip.compress(without_lists(frame).write_csv().encode()))
    else:
        without_lists(frame).write_csv(file, separator="\t" if suffix == ".tsv" else ",")
