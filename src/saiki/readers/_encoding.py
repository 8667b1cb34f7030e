"""Bytes to text: the encoding as given, or as found; a byte that does not fit is told with its line."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from saiki.errors import DataError, OptionError

#: bytes looked at to find the encoding
HEAD = 1 << 16
#: bytes read at once
PART = 1 << 20
#: share of control characters that a text may have
MOST_CONTROLS = 0.005
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: legacy encodings that can be told from their bytes
_JAPANESE = ("euc_jp", "cp932")
#: control characters that texts have: tab, line feed, vertical tab, form feed, carriage return, escape
_IN_TEXT = frozenset(b"\t\n\v\f\r\x1b")


def opened(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked if its name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def encoding_of(path: Path, given: str | None = None) -> str:
    """The encoding of a text file: as given, else by its byte order mark, else UTF-8, else a Japanese one.

    Raises DataError for a file that holds no text, OptionError for an encoding that is unknown.
    """
    if given is not None:
        try:
            return codecs.lookup(given).name
        except LookupError:
            raise OptionError(
                f"unknown encoding {given!r}; expected one such as utf-8, latin-1, cp932 or utf-16"
            ) from None
    head = _head(path)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    controls = sum(byte < 32 and byte not in _IN_TEXT for byte in head)
    if 0 in head or controls > MOST_CONTROLS * len(head):
        raise DataError(
            f"{path} holds no text: {controls:,} of its first {len(head):,} bytes are control characters; expected plain "
            "text (give --encoding if it is in UTF-16 or UTF-32 without a mark)"
        )
    if _fits(head, "utf-8"):
        return "utf-8"
    return next((name for name in _JAPANESE if _japanese(head, name)), "utf-8")


def _head(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(HEAD)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _fits(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)  # a character that the end cuts is no fault
    except UnicodeDecodeError:
        return False
    return True


def _japanese(head: bytes, encoding: str) -> bool:
    """Whether the bytes are text in this encoding: all of them fit, and what is not ASCII is nearly all Japanese."""
    if not _fits(head, encoding):
        return False
    other = [c for c in codecs.getincrementaldecoder(encoding)().decode(head) if ord(c) > 127]
    kana = sum("\u3040" <= c <= "\u30ff" for c in other)
    usual = sum("\u3000" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" or "\uff00" <= c <= "\uff5e" for c in other)
    return len(other) >= 4 and usual >= 0.9 * len(other) and kana >= 0.2 * len(other)


def decoded(path: Path, encoding: str) -> Iterator[str]:
    """The text of a file in parts of about a megabyte, line ends as line feeds; DataError names the line of a bad byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, held = 1, ""
    try:
        with opened(path) as file:
            while True:
                raw = file.read(PART)
                pending = decoder.getstate()[0]
                try:
                    text = held + decoder.decode(raw, final=not raw)
                except UnicodeDecodeError as error:
                    raise _bad(path, encoding, pending + raw, error, lines) from None
                held = "\r" if text.endswith("\r") and raw else ""  # its line feed may be in the next part
                text = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n")
                lines += text.count("\n")
                if text:
                    yield text
                if not raw:
                    return
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _bad(path: Path, encoding: str, raw: bytes, error: UnicodeDecodeError, lines: int) -> DataError:
    before = error.object[: error.start]
    line = lines + before.count(b"\n")
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    byte = error.object[error.start]
    other = "the file's encoding" if encoding.startswith("utf-8") else "another encoding"
    return DataError(
        f"{path}, line {line}: byte {column} of the line, 0x{byte:02x}, is not {encoding.removesuffix('-sig').upper()}; "
        f"mend it, or give {other} with --encoding (latin-1, cp1252, cp932, euc-jp, …)"
    )
