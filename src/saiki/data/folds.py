"""Labelled series in parts: each class in every part alike, no series and no group in two of them."""

from __future__ import annotations

import numpy as np

from saiki.errors import DataError


def folds(codes: np.ndarray, count: int, group: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """The fold of each series `[series]`, from 0 to `count` - 1; `codes [series]` are what every fold should hold alike.

    Units are dealt out in turn, sorted by code and drawn at random within one; with `group` a unit is a whole group, whose
    code is its most frequent one, the largest first, each to the fold that has the fewest series of that code.
    """
    rng = np.random.default_rng(seed)
    if group is None:
        order = np.lexsort((rng.permutation(len(codes)), codes))
        place = np.empty(len(codes), np.int64)
        place[order] = np.arange(len(codes)) % count
        return place
    _, unit = np.unique(group, return_inverse=True)
    table = np.zeros((int(unit.max()) + 1, int(codes.max()) + 1), np.int64)
    np.add.at(table, (unit, codes), 1)
    order = np.lexsort((rng.permutation(len(table)), -table.sum(1)))
    held, where = np.zeros((count, table.shape[1]), np.int64), np.empty(len(table), np.int64)
    for number in order:
        code = table[number].argmax()
        where[number] = np.lexsort((held.sum(1), held[:, code]))[0]
        held[where[number]] += table[number]
    return where[unit]


def one_group(name: str | None) -> DataError:
    """What to raise where a part would be left with nothing to learn from."""
    return DataError(
        f"all series are of one group of column {name!r}, so nothing can be held out; expected several groups: leave --group out, "
        "or give other data with --valid"
    )


def strata(answers: np.ndarray, parts: int = 5) -> np.ndarray:
    """Codes of numbers, for `folds`: which of `parts` equal shares of the sorted numbers each one lies in."""
    order = np.argsort(answers, kind="stable")
    code = np.empty(len(answers), np.int64)
    code[order] = np.arange(len(answers)) * parts // max(1, len(answers))
    return code
