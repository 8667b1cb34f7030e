"""Separated text (`.csv`, `.tsv`, also gzipped): separator and times are found, `NA` and its like are missing.

A file whose first line is numbers, not all of them whole and different (as names might be), has no header, nor one whose first
line has a text that stands again below it, as a label does: its columns are called 0, 1, 2, ….

Quotes that are never closed are marks like any other where every line has as many separators as the first one.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw

from saiki.errors import DataError
from saiki.readers._files import reading, records
from saiki.readers._separated import rows, separator
from saiki.readers._text import SAVE, decoded, encoding_of, head, in_utf8
from saiki.readers._times import parse_times
from saiki.record import ID, Record

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
MISSING = [
    "", "NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "null", "Null", "NULL", "None", "NaT", "?",
    "-", "--", ".", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!",
]  # fmt: skip
#: labels are at most so many, and the one in a first line without names stands in such a share of the lines
LABELS, OFTEN = 200, 0.02
#: characters at the end of a part of a file that what is looked for may begin with
EDGE = 4
#: how numbers begin that are names, such as 007
_ZEROS = r"^[-+]?0\d"


class Reader:
    """Separator: tab for `.tsv`; else what stands most often in the header: comma, semicolon, tab or bar.

    Text is UTF-8, UTF-16 or UTF-32 with its mark, or Japanese. Spaces after separators and blank lines mean nothing.
    """

    suffixes = SUFFIXES

    def frame(self, path: Path, encoding: str | None = None, names: Collection[str] = ()) -> nw.DataFrame:
        """The whole table, columns of times parsed; DataError names the line that is broken. Columns of `names`, and `unique_id`,
        hold whole numbers, or stay as they are written."""
        frame, form = self._table(path, encoding, names={*names, ID})
        frame = _ungrouped(_unpadded(_without_spaces(frame)), but={*names, ID})
        return nw.from_native(with_times(_named(frame, form), but={*names, ID}))

    def texts(self, path: Path, encoding: str | None = None) -> nw.DataFrame:
        """The whole table as it is written: every column is text, and only what is empty is missing."""
        frame, form = self._table(path, encoding, as_text=True)
        return nw.from_native(_named(frame, form))

    def _table(
        self, path: Path, given: str | None, as_text: bool = False, names: Collection[str] = ()
    ) -> tuple[pl.DataFrame, dict]:
        """The table, and how the file is written; `given` is its encoding, where it was told."""
        encoding = encoding_of(path, given)
        form = _form(path, encoding) | ({"null_values": None, "infer_schema": False} if as_text else {})

        def load() -> pl.DataFrame:
            frame = _parsed(path, encoding, form)
            if form["has_header"] and _headless(frame):
                form["has_header"] = False
                frame = _parsed(path, encoding, form)
            if not as_text:
                frame = _with_words(_with_zeros(frame, path, encoding, form), path, encoding, form)
                frame = _with_names(frame, names, path, encoding, form)
            frame = _without_blank_lines(frame, path, encoding, form)
            return frame if as_text else _without_end(frame)

        return reading(path, "CSV", load, lambda: _position(path, encoding, form["separator"])), form

    def read(self, path: Path, encoding: str | None = None, as_text: bool = False) -> Iterator[Record]:
        """The rows as records, lazily; times stay text. With `as_text` every field does, and only what is empty is missing."""
        import polars as pl

        encoding = encoding_of(path, encoding)
        how: dict[str, Any] = (
            {"null_values": None, "infer_schema": False} if as_text else {"infer_schema_length": 10_000}
        )
        form = _form(path, encoding) | how
        lazy = pl.scan_csv(in_utf8(path, encoding), **form)
        return records(path, _named(lazy, form), "CSV", lambda: _position(path, encoding, form["separator"]))


def _parsed(path: Path, encoding: str, form: dict) -> pl.DataFrame:
    """The table; where quotes swallow lines that are whole without them, `form` says from then on that they mean nothing."""
    import polars as pl

    def parse(**more: Any) -> pl.DataFrame:
        given: dict[str, Any] = {"infer_schema_length": None} | form | more
        return pl.read_csv(in_utf8(path, encoding), **given)

    broken: Exception | None = None
    try:
        frame = parse()
        if not any(s.dtype == pl.String and s.str.contains("\n", literal=True).any() for s in frame.iter_columns()):
            return frame
    except pl.exceptions.ComputeError as error:
        frame, broken = pl.DataFrame(), error
    lines = parse(quote_char=None, separator="\x01", has_header=False, null_values=None)
    counts = lines.to_series().cast(pl.String).drop_nulls().str.count_matches(form["separator"], literal=True)
    if lines.width == 1 and len(counts) and counts[0] > 0 and counts.n_unique() == 1:
        form["quote_char"] = None
        return parse()
    if broken is not None:
        raise broken
    return frame


def _headless(frame: pl.DataFrame) -> bool:
    """Whether a name of the first line is a label: its column has it again, as one of few texts, and often."""
    import polars as pl

    texts = [s for s in frame.iter_columns() if s.dtype == pl.String and s.name]
    if all(re.fullmatch(r"[\w.-]{0,40}", name) for name in frame.columns) or not any(
        (s == s.name).any() for s in texts
    ):
        return False  # names are short words, and one may be a label too: text, toxic
    if len(texts) == frame.width:  # where tables were joined, the header stands again
        frame = frame.filter(~pl.all_horizontal(pl.col(s.name).eq_missing(pl.lit(s.name)) for s in texts))
    again = (s for s in map(frame.get_column, [s.name for s in texts]) if s.n_unique() <= LABELS)
    return any((s == s.name).sum() >= max(2, OFTEN * len(s)) for s in again)


def _named(frame: Any, form: dict) -> Any:
    """Columns of a file without a header by their numbers; a separator at the end of every line makes no column."""
    if form["has_header"]:
        return frame
    if hasattr(frame, "height") and frame.to_series(-1).null_count() == frame.height:
        frame = frame.drop(frame.columns[-1])
    return frame.rename({name: str(k) for k, name in enumerate(frame.collect_schema().names())})


def _unpadded(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers that are written with blanks before or after them."""
    import polars as pl

    found = {}
    for series in frame.iter_columns():
        if series.dtype != pl.String or not series.head(1000).str.contains(r"^\s|\s$").any():
            continue
        bare = series.str.strip_chars().replace(dict.fromkeys(MISSING))
        for kind in (pl.Int64, pl.Float64):
            number = bare.cast(kind, strict=False)
            if number.null_count() == bare.null_count():
                named = kind == pl.Int64 and bare.str.contains(_ZEROS).any()
                found[series.name] = bare if named else number
                break
    return frame.with_columns(**found) if found else frame


def _ungrouped(frame: pl.DataFrame, but: Collection[str]) -> pl.DataFrame:
    """Numbers in groups of three digits, 1,054.5 or 1.054,5, where some have both marks or several groups: 1,054 alone is not
    guessed."""
    import polars as pl

    found = {}
    for series in frame.iter_columns():
        bare = series.str.strip_chars().replace(dict.fromkeys(MISSING)) if series.dtype == pl.String else None
        if bare is None or series.name in but or not bare.head(1000).str.contains(r"\d[.,]\d{3}").any():
            continue
        for group, point in ((",", "."), (".", ",")):
            g, p = re.escape(group), re.escape(point)
            whole = rf"^[-+]?(\d{{1,3}}({g}\d{{3}})+|\d+)({p}\d+)?$"
            told = rf"{g}\d{{3}}{p}|^[-+]?\d{{1,2}}{g}\d{{3}}{g}"  # 100,200,300 may be a list of labels
            if bare.drop_nulls().str.contains(whole).all() and bare.str.contains(told).any():
                plain = bare.str.replace_all(group, "", literal=True).str.replace(point, ".", literal=True)
                found[series.name] = plain.cast(pl.Float64)
                break
    return frame.with_columns(**found) if found else frame


def _with_zeros(frame: pl.DataFrame, path: Path, encoding: str, form: dict) -> pl.DataFrame:
    """Numbers that are written with zeros in front, such as 007, are names: those columns stay text."""
    import polars as pl

    whole = [name for name, kind in frame.schema.items() if kind.is_integer()]
    if not whole or not _anywhere(path, encoding, rf'(?:^|[\r\n{re.escape(form["separator"])}])"?[-+]?0\d'):
        return frame
    overrides = dict.fromkeys(whole, pl.String)
    texts = pl.read_csv(in_utf8(path, encoding), columns=whole, schema_overrides=overrides, **form)
    return frame.with_columns(s for s in texts.iter_columns() if s.str.contains(_ZEROS).any())


def _with_names(frame: pl.DataFrame, names: Collection[str], path: Path, encoding: str, form: dict) -> pl.DataFrame:
    """Names that read as fractions, such as 1.10, as they are written."""
    import polars as pl

    some = [
        s.name
        for s in frame.iter_columns()
        if s.name in names and s.dtype.is_float() and (s.drop_nulls() % 1 != 0).any()
    ]
    if not some:
        return frame
    texts = pl.read_csv(in_utf8(path, encoding), columns=some, schema_overrides=dict.fromkeys(some, pl.String), **form)
    return frame.with_columns(texts.iter_columns())


def _anywhere(path: Path, encoding: str, pattern: str) -> bool:
    """Whether a short pattern stands in a file."""
    found, before = re.compile(pattern), ""
    for part in decoded(path, encoding, SAVE):
        if found.search(before + part):
            return True
        before = part[-EDGE:]
    return False


def _with_words(frame: pl.DataFrame, path: Path, encoding: str, form: dict) -> pl.DataFrame:
    """In text, `None` and `?` are words like any other: there, only what is empty is missing. Not so among times."""
    import polars as pl

    some = [s.name for s in frame.iter_columns() if s.name and _words_missing(s)]
    if not some:
        return frame
    given: dict[str, Any] = form | {"null_values": None}
    texts = pl.read_csv(in_utf8(path, encoding), columns=some, schema_overrides=dict.fromkeys(some, pl.String), **given)
    return frame.with_columns(s for s in texts.iter_columns() if _said(s))


def _words_missing(column: pl.Series) -> bool:
    """Whether a column is one of text, not of times, in which something was taken for missing."""
    import polars as pl

    return column.dtype == pl.String and column.null_count() > 0 and parse_times(column) is None


def _said(texts: pl.Series) -> bool:
    """Whether a column holds text, and not numbers among marks for missing ones."""
    bare = texts.str.strip_chars().replace(dict.fromkeys(MISSING))
    return bare.cast(float, strict=False).null_count() > bare.null_count()


def _without_blank_lines(frame: pl.DataFrame, path: Path, encoding: str, form: dict) -> pl.DataFrame:
    """Lines with nothing on them are no rows; lines of separators alone are (but see `_without_end`)."""
    import polars as pl

    if frame.width < 2 or not frame.select(pl.all_horizontal(pl.all().is_null()).any()).item():
        return frame
    empty = [not fields for _, fields in rows(path, encoding, form["separator"])]
    blank = pl.Series(empty[form["has_header"] :], dtype=pl.Boolean)
    return frame.filter(~blank) if len(blank) == len(frame) else frame


def _without_end(frame: pl.DataFrame) -> pl.DataFrame:
    """Lines of separators alone at the end, as spreadsheets leave them, are no rows where a column is full above them."""
    import polars as pl

    if frame.width < 2 or not frame.height or any(value is not None for value in frame.row(-1)):
        return frame
    full = frame.select((~pl.all_horizontal(pl.all().is_null())).arg_true().max()).item()
    kept = frame.head(0 if full is None else full + 1)
    return kept if any(not s.null_count() for s in kept.iter_columns()) else frame


def _without_spaces(frame: pl.DataFrame) -> pl.DataFrame:
    """A table written with spaces after its separators, without them."""
    import polars as pl

    if not any(name != name.strip() for name in frame.columns):
        return frame
    bare = frame.with_columns(pl.selectors.string().str.strip_chars())
    bare.columns = [name.strip() for name in frame.columns]
    found = pl.read_csv(io.BytesIO(bare.write_csv().encode()), infer_schema_length=None, null_values=MISSING)
    whole = [s for s in bare.iter_columns() if s.dtype == pl.String and found[s.name].dtype.is_integer()]
    named = [s for s in whole if s.str.contains(_ZEROS).any()]
    found = found.with_columns(s.replace(dict.fromkeys(MISSING)) for s in named)
    lost = [bare[s.name].replace({"": None}) for s in found.iter_columns() if _words_missing(s)]
    return found.with_columns(s for s in lost if _said(s))


def with_times(frame: pl.DataFrame, but: Collection[str] = ()) -> pl.DataFrame:
    """The frame with every text column that holds times parsed, but those."""
    parsed = {
        s.name: times for s in frame.iter_columns() if s.name not in but and (times := parse_times(s)) is not None
    }
    return frame.with_columns(**parsed) if parsed else frame


def _form(path: Path, encoding: str) -> dict:
    """How the file is written, in polars' words; DataError for a name that stands twice in the header."""
    start = head(path, encoding)
    end = "\r" if "\r" in start and "\n" not in start else "\n"
    header, _, rest = start.partition(end)
    between = "\t" if ".tsv" in path.name.lower() else separator(header, rest)
    named = not _numbers_alone(header.strip("\r").removesuffix(between).split(between))
    fields = next(csv.reader([header.rstrip("\r")], delimiter=between), [])
    names = Counter(name.strip() for name in fields if named)
    if twice := [name for name, count in names.items() if count > 1 and name]:
        raise DataError(f"{path}: two columns are called {twice[0]!r}; expected every column once")
    form = {
        "separator": between,
        "decimal_comma": between != "," and _decimal_comma(rest, between),
        "null_values": MISSING,
    }
    return form | {"eol_char": end, "has_header": named}


def _decimal_comma(rest: str, between: str) -> bool:
    """Whether numbers are written 1,5: some are, none has a point, and the commas do not all stand before three digits (1,054)."""
    mark = re.escape(between)

    def written(form: str) -> list[str]:
        """The fields that are numbers of this form."""
        return re.findall(rf'(?:^|{mark})"?([-+]?{form})"?(?={mark}|\r?$)', rest, re.MULTILINE)

    commas = written(r"\d+,\d+")
    thousands = all(re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", number) for number in commas)
    return bool(commas) and not thousands and not written(r"\d*\.\d+")


def _numbers_alone(names: list[str]) -> bool:
    """Whether a first line holds values: all are numbers, and they are no names, being fractions or not all different."""
    try:
        values = [float(name) for name in names]
    except ValueError:
        return False
    return len(names) > 1 and (any(v % 1 != 0 for v in values) or len(set(values)) < len(values))


def _position(path: Path, encoding: str, separator: str) -> str:
    """`, line 12 (…)` for the first line whose number of fields is not the header's; DataError for a bad byte."""
    width = None
    try:
        for line, fields in rows(path, encoding, separator):
            width = width or len(fields)
            if fields and len(fields) != width:
                return f", line {line} ({len(fields)} fields, the header has {width})"
    except csv.Error:
        pass
    return ""
