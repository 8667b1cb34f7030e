"""Groups of units that a text has often, as numbers: the last two, three, … units of a place become one key each.

    keys = frequent(text.values, units=90, longest=5, fewest=5, most=200_000)     sorted, int64
    key of u_1 … u_k:  Σ_j (u_{k-j} + 1) base^j,  j = 0 … k - 1,  base = units + 2

The first of a group has the highest digit and no digit is 0, so groups of different lengths have different keys. The digit
units + 1 stands for "nothing", before the beginning of a text: no group that was counted has it.
"""

from __future__ import annotations

import numpy as np

from saiki.errors import OptionError

#: units that are counted at once, and groups that are kept while counting
PART, KEPT = 4_000_000, 8_000_000


def longest_of(units: int) -> int:
    """Units of the longest groups that have a key of 63 bits."""
    longest = 1
    while (units + 2) ** (longest + 1) < 2**63:
        longest += 1
    return longest


def base_of(units: int, longest: int) -> int:
    """The base of keys. OptionError where the longest groups have no key of 63 bits."""
    base = units + 2
    if base**longest >= 2**63:
        fits = longest_of(units)
        raise OptionError(
            f"ngrams: got {longest}, but of {units:,} units groups of {fits} are the longest that can be told apart"
        )
    return base


def frequent(values: np.ndarray, units: int, longest: int, fewest: int, most: int) -> np.ndarray:
    """Keys of the groups of 2 to `longest` units that occur `fewest` times or more, at most the `most` frequent ones: sorted."""
    base = base_of(units, longest)
    found, times = np.empty(0, np.int64), np.empty(0, np.int64)
    for length in range(2, longest + 1):
        keys, counts = _counted(values, base, length)
        often = counts >= fewest
        found, times = np.append(found, keys[often]), np.append(times, counts[often])
    if len(found) > most:
        found = found[np.lexsort((found, -times))[:most]]
    return np.sort(found)


def _counted(values: np.ndarray, base: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """All groups of a length and how often each occurs; of very many, those seen once so far are forgotten part by part."""
    keys, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for start in range(0, len(values), PART):
        part = np.asarray(values[start : start + PART + length - 1], np.int64)
        places = len(part) - length + 1
        if places < 1:
            break
        here = np.zeros(places, np.int64)
        for j in range(length):
            here = here * base + part[j : j + places] + 1
        more, times = np.unique(here, return_counts=True)
        keys, inverse = np.unique(np.append(keys, more), return_inverse=True)
        counts = np.bincount(inverse, np.append(counts, times), len(keys)).astype(np.int64)
        if len(keys) > KEPT:
            again = counts > 1
            keys, counts = keys[again], counts[again]
    return keys, counts
