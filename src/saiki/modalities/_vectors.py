"""Vectors of units made elsewhere: text files with a unit and its numbers in every line, as word2vec and GloVe write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from saiki.errors import DataError
from saiki.modalities.text import SPECIAL, TextCodec
from saiki.readers.text import lines


def load(path: Path, codec: TextCodec) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the units that the file knows `[found]` and their vectors `[found, numbers]`; DataError names a bad line."""
    if codec.tokenizer:
        raise DataError(f"{path}: vectors belong to words or characters, not to byte-pair units; leave out --vectors")
    wanted: dict[str, list[int]] = {}
    for place, symbol in enumerate(codec.symbols[len(SPECIAL) :], start=len(SPECIAL)):
        wanted.setdefault(symbol.strip(" ") or symbol, []).append(place)
    places: list[int] = []
    vectors: list[list[float]] = []
    width = None
    for number, line in enumerate(lines(path, None), start=1):
        unit, *numbers = re.split("[ \t]", line.rstrip())
        if number == 1 and len(numbers) == 1:  # word2vec begins with how many there are, and how long
            continue
        width = width or len(numbers)
        if len(numbers) != width or not numbers:
            raise DataError(f"{path}, line {number}: got {len(numbers)} numbers; expected a unit and {width} numbers")
        if unit in wanted:
            try:
                values = [float(n) for n in numbers]
            except ValueError:
                raise DataError(f"{path}, line {number}: not all of it is numbers behind {unit!r}") from None
            if not np.isfinite(values).all():
                raise DataError(f"{path}, line {number}: not all numbers behind {unit!r} are finite")
            for place in wanted[unit]:
                places.append(place)
                vectors.append(values)
    if not places:
        raise DataError(f"{path} has a vector for none of the {codec.describe()} of the training text")
    return np.array(places), np.array(vectors, np.float32)
