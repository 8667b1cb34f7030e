"""Words as numbers that say how they are spelt too: the word in small letters, its beginning, its ends, its shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

#: letters of the beginnings and of the ends that are told
BEGINNINGS, ENDS = (2, 3), (1, 2, 3, 4)
#: words, beginnings and ends kept at most, the most frequent
MOST = 30_000


def features(word: str) -> tuple[str, ...]:
    """The word in small letters, then what is told of its spelling; digits are all alike."""
    small = re.sub(r"\d", "0", word.lower())
    parts = [small[:size] for size in BEGINNINGS] + [small[-size:] for size in ENDS]
    return small, *parts, shape(word)


def shape(word: str) -> str:
    """`Xx`, `XX`, `dd-dd`, `x.`: capitals, small letters, digits and marks; runs of three or more are one of two."""
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word[:40])
    return re.sub(r"(.)\1{2,}", r"\1\1", kinds)[:12]


@dataclass(frozen=True)
class SpellingCodec:
    """Numbers of the words and of each feature of their spelling that training knows; 0 is an unknown one.

    known  of every feature what is known, the most frequent first
    """

    known: tuple[tuple[str, ...], ...]

    @classmethod
    def fit(cls, words: Sequence[str], fewest: int) -> SpellingCodec:
        """From the words of the training part: what occurs `fewest` times is known; rarer words train the unknown one."""
        counts: list[Counter[str]] = []
        for word, count in Counter(words).items():
            found = features(word)
            counts = counts or [Counter() for _ in found]
            for column, feature in zip(counts, found, strict=True):
                column[feature] += count
        return cls(tuple(_kept(column, fewest) for column in counts))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers that each feature has."""
        return tuple(len(column) + 1 for column in self.known)

    @cached_property
    def _places(self) -> list[dict[str, int]]:
        return [{name: k for k, name in enumerate(column, 1)} for column in self.known]

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """int64 `[words, features]`."""
        memory: dict[str, list[int]] = {}
        for word in words:
            if word not in memory:
                found = zip(self._places, features(word), strict=True)
                memory[word] = [places.get(feature, 0) for places, feature in found]
        rows = [memory[word] for word in words]
        return np.array(rows, np.int64).reshape(len(rows), len(self.known))

    def to_json(self) -> dict[str, Any]:
        return {"known": [list(column) for column in self.known]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SpellingCodec:
        return cls(tuple(tuple(column) for column in data["known"]))


def _kept(counts: Counter[str], fewest: int) -> tuple[str, ...]:
    often = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
    return tuple(name for name, count in often if count >= fewest)
