"""A text as numbers on disk: longer than memory if need be, read part by part where it is used."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from saiki.errors import DataError
from saiki.modalities.text import END, UNKNOWN, TextCodec

#: one part of text, and whether a document ends after it
Part = tuple[str, bool]
#: units that are copied at once
COPIED = 1 << 20


@dataclass(frozen=True)
class Tokens:
    """The units of a text, one after the other, in a memory-mapped file that is gone when the process is."""

    values: np.ndarray  # [tokens], uint16 or uint32
    characters: int  # of the text, ends of documents included
    unknown: int  # tokens that the codec did not know
    fingerprint: str

    def __len__(self) -> int:
        return len(self.values)

    def take(self, start: int, end: int) -> np.ndarray:
        """Some of the units, in memory: int64."""
        return np.asarray(self.values[start:end], np.int64)


def tokens(parts: Iterable[Part], codec: TextCodec) -> Tokens:
    """Encode parts of a text; what is in memory is one part at a time. DataError where there is nothing."""
    kind = np.uint16 if codec.size <= 1 << 16 else np.uint32
    digest = hashlib.sha256()
    file: Any = tempfile.TemporaryFile(prefix="saiki-")  # noqa: SIM115 (the map keeps it)
    count = characters = unknown = 0
    for text, ends in parts:
        numbers = codec.encode(text)
        if ends:
            numbers = np.append(numbers, np.int32(END))
        digest.update(text.encode("utf-8", errors="surrogatepass") + b"\0" * ends)
        file.write(numbers.astype(kind).tobytes())
        count += len(numbers)
        characters += len(codec.clean(text)) + ends
        unknown += int((numbers == UNKNOWN).sum())
    if not count:
        raise DataError("the text is empty; expected at least one character")
    file.flush()
    return Tokens(np.memmap(file, kind, mode="r", shape=(count,)), characters, unknown, digest.hexdigest())


def together(first: Tokens, second: Tokens) -> Tokens:
    """Two texts as one, the second after the first."""
    file: Any = tempfile.TemporaryFile(prefix="saiki-")  # noqa: SIM115 (the map keeps it)
    for text in (first, second):
        for start in range(0, len(text), COPIED):
            file.write(text.values[start : start + COPIED].tobytes())
    file.flush()
    values = np.memmap(file, first.values.dtype, mode="r", shape=(len(first) + len(second),))
    digest = hashlib.sha256(f"{first.fingerprint} {second.fingerprint}".encode()).hexdigest()
    return Tokens(values, first.characters + second.characters, first.unknown + second.unknown, digest)


def cut(parts: Iterable[Part], start: int, end: int | None) -> Iterator[Part]:
    """The characters from `start` to before `end` of a text in parts."""
    place = 0
    for text, ends in parts:
        low, high = max(0, start - place), len(text) if end is None else min(len(text), end - place)
        empty = not text and place >= start
        place += len(text)
        if low < high or (ends and empty):
            yield text[low:high], ends and high == len(text)
        if end is not None and place >= end:
            return


def length(parts: Iterable[Part]) -> int:
    """Characters of a text in parts."""
    return sum(len(text) for text, _ in parts)
