"""Bytes to text: unpacked where they are packed, in the encoding given or found; a byte that does not fit is told with its line."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from saiki.errors import DataError, OptionError
from saiki.readers._files import literal

#: bytes looked at to find out how a file is written
HEAD = 1 << 16
#: bytes read at once
PART = 1 << 20
#: share of control characters that a text may have
MOST_CONTROLS = 0.02
_GZIP = b"\x1f\x8b"
#: what reading a damaged file raises
BROKEN = (OSError, EOFError, zlib.error)
#: how files in other encodings than plain UTF-8 begin; UTF-32 before UTF-16, which begins alike
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: encodings of which the mark at the start tells the order of the bytes
_MARKED = ("utf-16", "utf-32")
#: legacy encodings that can be told from their bytes
_JAPANESE = ("euc_jp", "cp932")
#: control characters that texts have: tab, line feed, vertical tab, form feed, carriage return, escape
_IN_TEXT = frozenset(b"\t\n\v\f\r\x1b")
#: what to do about a byte that does not fit, where an encoding can be given
GIVE = "mend it, or give {other} with --encoding (latin-1, cp1252, cp932, euc-jp, …)"
#: and where it cannot
SAVE = "save the file as UTF-8 (from latin-1, for example: iconv -f latin1 -t utf-8)"


def opened(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where it is packed, whatever its suffix."""
    file = path.open("rb")
    if file.read(len(_GZIP)) == _GZIP:
        file.close()
        return cast(BinaryIO, gzip.open(path, "rb"))
    file.seek(0)
    return file


def encoding_of(path: Path, given: str | None = None) -> str:
    """The encoding of a text file: as given, else by its byte order mark, else UTF-8, else a Japanese one.

    Raises DataError for a file that holds no text, OptionError for an encoding that is unknown.
    """
    if given is not None:
        try:
            "a".encode(given)  # not by codecs of bytes, such as hex
            name = codecs.lookup(given).name
            return "utf-8-sig" if name == "utf-8" and _start(path).startswith(codecs.BOM_UTF8) else name
        except (LookupError, ValueError):
            raise OptionError(
                f"unknown encoding {given!r}; expected one such as utf-8, latin-1, cp932 or utf-16"
            ) from None
    start = _start(path)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    controls = sum(byte < 32 and byte not in _IN_TEXT for byte in start)
    if 0 in start or controls > MOST_CONTROLS * len(start):
        raise DataError(
            f"{path} holds no text: {controls:,} of its first {len(start):,} bytes are control characters; expected plain "
            "text (in UTF-16 and UTF-32 with their mark at the start)"
        )
    if _fits(start, "utf-8"):
        return "utf-8"
    return next((name for name in _JAPANESE if _japanese(start, name)), "utf-8")


def head(path: Path, encoding: str) -> str:
    """The first lines, whole, two at least; a byte that does not fit is left to the reader proper."""
    try:
        with opened(path) as file:
            start, more = b"", file.read(HEAD)
            while more:
                start += more
                text = start.decode(encoding, errors="replace")
                end = "\n" if "\n" in text else "\r"
                if len(start) >= HEAD and text.count(end) > 1:
                    return text[: text.rindex(end) + 1]
                more = file.read(len(start))
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    return start.decode(encoding, errors="replace")


def in_utf8(path: Path, encoding: str) -> str | io.BytesIO | io.BytesIO:
    """What a library reads that knows UTF-8 alone: the file itself, or else its text in UTF-8, line ends as they are."""
    if encoding == "utf-8":
        return literal(path)
    with opened(path) as file:
        return io.BytesIO(file.read().decode(encoding).encode())


def decoded(path: Path, encoding: str, advice: str = GIVE) -> Iterator[str]:
    """The text of a file in parts of about a megabyte, line ends as line feeds; DataError names the line of a bad byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done, held = 1, ""
    try:
        with opened(path) as file:
            while True:
                raw = file.read(PART)
                try:
                    text = held + decoder.decode(raw, final=not raw)
                except UnicodeDecodeError as error:
                    raise _bad(path, encoding, error, done, advice) from None
                except UnicodeError as error:  # of no byte in particular: the mark is not there
                    other = f"{encoding}-le or {encoding}-be" if encoding in _MARKED else "another one"
                    raise DataError(f"{path} is not text in {encoding} ({error}); give --encoding {other}") from None
                held = "\r" if text.endswith("\r") and raw else ""  # its line feed may be in the next part
                text = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n")
                done += text.count("\n")
                if text:
                    yield text
                if not raw:
                    return
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def lines(parts: Iterator[str]) -> Iterator[str]:
    """The lines of a text that comes in parts, without their ends."""
    held = ""
    for part in parts:
        *whole, held = (held + part).split("\n")
        yield from whole
    if held:
        yield held


def _bad(path: Path, encoding: str, error: UnicodeDecodeError, done: int, advice: str) -> DataError:
    before = error.object[: error.start]
    line = done + before.count(b"\n")
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    byte = error.object[error.start]
    other = "the file's encoding" if encoding.startswith("utf-8") else "another encoding"
    name = encoding.removesuffix("-sig").upper()
    return DataError(
        f"{path}, line {line}: byte {column} of the line, 0x{byte:02x}, is not {name}; {advice.format(other=other)}"
    )


def _start(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(HEAD)
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _fits(start: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(start)  # a character that the end cuts is no fault
    except UnicodeDecodeError:
        return False
    return True


def _japanese(start: bytes, encoding: str) -> bool:
    """Whether the bytes are text in this encoding: all of them fit, and what is not ASCII is nearly all Japanese."""
    if not _fits(start, encoding):
        return False
    other = [c for c in codecs.getincrementaldecoder(encoding)().decode(start) if ord(c) > 127]
    kana = sum("\u3040" <= c <= "\u30ff" for c in other)
    usual = sum("\u3000" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" or "\uff00" <= c <= "\uff5e" for c in other)
    return len(other) >= 4 and usual >= 0.9 * len(other) and kana >= 0.2 * len(other)
