"""Text as characters, words or byte-pair units, numbered by how they occur in the training text."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from saiki.errors import DataError, OptionError
from saiki.modalities import _bytepair
from saiki.modalities._text_options import TextOptions
from saiki.modalities._words import is_split, joined, without_spaces, words

#: numbers of the unit that stands for all unknown ones, and of the end of a document
UNKNOWN, END = 0, 1
SPECIAL = ("\ufffd", "")
#: units of a text that say how those after them are written
CONTEXT = 16
#: words by which corpora mark those outside their vocabulary
UNKNOWN_MARKS = ("<unk>", " <unk>")
#: words kept at most, and byte-pair units learned, where no vocabulary is asked for
MOST_WORDS, BYTEPAIRS = 30_000, 4_000


@dataclass(frozen=True)
class TextCodec:
    """Text to numbers and back, as fitted. Number 0 is an unknown unit, 1 the end of a document."""

    units: str
    symbols: tuple[str, ...]  # characters and words, the special ones included; empty for bytepair
    normalise: str
    lower: bool
    split: bool = False
    spaces: bool = True  # words keep the space in front of them
    tokenizer: str = ""  # JSON

    @cached_property
    def size(self) -> int:
        """Numbers that `encode` gives."""
        return len(SPECIAL) + self._tokenizer.get_vocab_size() if self.tokenizer else len(self.symbols)

    @cached_property
    def _tokenizer(self) -> Any:
        return _bytepair.restored(self.tokenizer)

    @cached_property
    def _foreign(self) -> int:
        """What a given tokenizer says for all that it does not know; -1 if it has no such unit."""
        return _bytepair.unknown(self.tokenizer)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {symbol: place for place, symbol in enumerate(self.symbols) if place >= len(SPECIAL)}

    @cached_property
    def _table(self) -> np.ndarray:
        """Code point -> number, as far as the highest known one."""
        codes = [ord(symbol) for symbol in self.symbols[len(SPECIAL) :]]
        table = np.zeros(max(codes, default=0) + 2, np.int32)
        table[codes] = np.arange(len(SPECIAL), len(self.symbols))
        return table

    def clean(self, text: str) -> str:
        """Normalised text, which is what the units are cut from."""
        return cleaned(text, self.normalise, self.lower)

    def encode(self, text: str) -> np.ndarray:
        """Text to numbers: int32 `[units]`."""
        text = self.clean(text)
        if self.tokenizer:
            numbers = np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)
            return np.where(numbers == self._foreign, UNKNOWN, numbers + len(SPECIAL))
        if self.units == "characters":
            codes = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), np.uint32)
            return self._table[np.minimum(codes, len(self._table) - 1)]
        places = self._places
        return np.array([places.get(unit, UNKNOWN) for unit in words(text, self.split, self.spaces)], np.int32)

    def decode(self, numbers: Iterable[int]) -> str:
        """Numbers to text; unknown units are �, ends of documents nothing."""
        if self.tokenizer:
            return self._tokenizer.decode([int(n) - len(SPECIAL) for n in numbers if n >= len(SPECIAL)])
        units = [self.symbols[n] for n in numbers if n != END]
        return "".join(units) if self.units == "characters" else joined(units, self.split, self.spaces)

    def going_on(self, begun: Sequence[int], numbers: Sequence[int]) -> str:
        """Numbers to the text that they add to what was begun: some tokenizers drop the blank before the first unit of a text, and
        of words that are cut at spaces the blank between two stands in neither. The first bytes of a character that is not whole
        are left out."""
        if self.split and self.units == "words" and begun and numbers:
            said = self.decode(numbers)
            return said if said.startswith("\n") or self.decode(begun[-1:]).endswith("\n") else f" {said}"
        if not self.tokenizer:
            return self.decode(numbers)
        if not begun:
            return self.decode(numbers).rstrip(SPECIAL[UNKNOWN])
        before = self.decode(begun[-CONTEXT:])
        whole = self.decode([*begun[-CONTEXT:], *numbers])
        said = whole.removeprefix(before) if whole.startswith(before) else self.decode(numbers)
        return said.rstrip(SPECIAL[UNKNOWN])

    def name(self, number: int) -> str:
        """One unit, as people read it."""
        if number < len(SPECIAL):
            return ("<unknown>", "<end>")[number]
        return self.decode([number])

    def pieces(self, text: str) -> list[str]:
        """The units of a text as they stand there, one for each number of `encode`; of a character in several units the first one
        is all of it."""
        text = self.clean(text)
        if self.tokenizer:
            spans = np.array(self._tokenizer.encode(text, add_special_tokens=False).offsets, np.int64).reshape(-1, 2)
            begins = (
                np.maximum(spans[:, 0], np.maximum.accumulate(np.r_[0, spans[:-1, 1]])) if len(spans) else spans[:, 0]
            )
            return [text[start:end] for start, end in zip(begins.tolist(), spans[:, 1].tolist(), strict=True)]
        return list(text) if self.units == "characters" else list(words(text, self.split, self.spaces))

    def unknown(self, text: str) -> list[str]:
        """The units of a text that the codec does not know, in order."""
        pieces = zip(self.pieces(text), self.encode(text), strict=True)
        return list(dict.fromkeys(piece for piece, number in pieces if number == UNKNOWN))

    def describe(self) -> str:
        """`65 characters`"""
        kind = {"characters": "characters", "words": "words", "bytepair": "byte-pair units"}[self.units]
        extra = ", cut at spaces" if self.split and self.units == "words" else ""
        return f"{self.size - len(SPECIAL):,} {kind}{extra}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TextCodec:
        """From plain data, as `to_json` gives it or as JSON reads it back."""
        return cls(**{**data, "symbols": tuple(data["symbols"])})


def cleaned(text: str, normalise: str, lower: bool) -> str:
    """Normalised text, in small letters if asked for."""
    if normalise != "none" and not text.isascii():
        text = unicodedata.normalize(normalise.upper(), text)  # pyright: ignore[reportArgumentType]
    return text.lower() if lower else text


def fit(parts: Iterable[str], options: TextOptions, *, spaces: bool = True, head: str = "") -> TextCodec:
    """A codec with the units of these parts of text: give the training part only.

    spaces  words keep the space in front of them, for text that is to be written
    head    the beginning of the text, from which is found whether it is split already

    Raises DataError where there is nothing to learn from, OptionError for options that do not go together.
    """
    units, lower = options.units or "characters", bool(options.lower)
    split = options.split if options.split is not None else units == "words" and is_split(head)
    given = {"units": units, "normalise": options.unicode, "lower": lower, "split": split, "spaces": spaces}
    if options.tokenizer is not None:
        if options.units not in (None, "bytepair"):
            raise OptionError(f"got a tokenizer and units {options.units}; expected units bytepair with a tokenizer")
        return TextCodec(**{**given, "units": "bytepair"}, symbols=(), tokenizer=_bytepair.loaded(options.tokenizer))
    clean = (cleaned(part, options.unicode, lower) for part in parts)
    if units == "bytepair":
        return TextCodec(**given, symbols=(), tokenizer=_bytepair.learned(clean, options.vocabulary or BYTEPAIRS))
    counts: Counter[str] = Counter()
    for part in clean:
        counts.update(part if units == "characters" else words(part, split, spaces))
    return TextCodec(**given, symbols=(*SPECIAL, *_kept(counts, units, options)))


def _kept(counts: Counter[str], units: str, options: TextOptions) -> Sequence[str]:
    """The units that are known, the most frequent first."""
    if not counts:
        raise DataError("the training text has no units; expected text with something in it")
    if options.vocabulary is not None and options.vocabulary > len(counts):
        raise OptionError(
            f"vocabulary {options.vocabulary:,} is larger than the data: it has {len(counts):,} different {units}; "
            f"leave out --vocabulary, or give at most {len(counts):,}"
        )
    most = options.vocabulary or (MOST_WORDS if units == "words" else len(counts))
    # a text that marks its unknown words has been through this already
    chosen = options.vocabulary is not None or any(mark in counts for mark in UNKNOWN_MARKS)
    fewest = options.fewest or (2 if units == "words" and not chosen else 1)
    often = [u for u, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if count >= fewest][:most]
    if not often:
        raise DataError(
            f"no unit of the training text occurs {fewest} times; expected more text, or a smaller --fewest"
        )
    return often


def natural_units(head: str, words_first: bool) -> str:
    """Units for a text of which none are asked for: words where they were asked for and the script has them."""
    return "words" if words_first and not without_spaces(head) else "characters"
