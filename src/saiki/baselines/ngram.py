"""Kneser-Ney n-grams: every unit by what followed the few units before it in the training text.

    P_k(w | h) = max(c(h w) - D_k, 0) / c(h) + D_k n(h) / c(h) · P_{k-1}(w | h')

c counts, in orders below the highest one, the different units in front of what it counts; n(h) counts the different units
behind h; h' is h without its first unit; D_k = n_1 / (n_1 + 2 n_2). Below the first order all units are equal.
Source: Kneser and Ney 1995, interpolated as in Chen and Goodman 1999, section 4.1.6, one discount per order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TASKS = ("generate",)
#: units of the training text at most, the last ones: a table of all n-grams of a longer one would not fit in memory
MOST = 8_000_000
#: orders that are tried, best on the held-out tail of the training text
ORDERS = (2, 3, 4, 5, 6, 7, 8)
TAIL = 50_000
#: last units of the training text on which orders are tried
SEARCHED = 1_000_000


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order: keys (number of the context · units + unit), sorted; numbers are places in it."""

    keys: np.ndarray
    counts: np.ndarray  # of every n-gram
    total: np.ndarray  # c(h) by number of the context
    kinds: np.ndarray  # n(h)
    discount: float


def surprise(training: np.ndarray, text: np.ndarray, units: int, order: int | None = None) -> np.ndarray:
    """-log p of every unit of a text, in nats: `[text]`; the text begins without a past."""
    training = np.asarray(training[-MOST:], np.int64)
    return -np.log(probabilities(training, text, units, order or best_order(training, units)))


def best_order(training: np.ndarray, units: int) -> int:
    """The order with the lowest surprise on the end of the training text, counted without it."""
    training = training[-SEARCHED:]
    tail = min(TAIL, len(training) // 10)
    if tail < 2:
        return 2
    most = min(ORDERS[-1], max(2, len(training) - tail - 1))
    scores = {n: 0.0 for n in ORDERS if n <= most}
    for n in scores:
        scores[n] = -np.log(probabilities(training[:-tail], training[-tail:], units, n)).mean()
        if n > 2 and scores[n] > scores[n - 1]:
            return n - 1
    return min(scores, key=lambda n: scores[n])


def probabilities(training: np.ndarray, text: np.ndarray, units: int, order: int) -> np.ndarray:
    """p of every unit of a text given the units before it: `[text]`."""
    tables = _tables(np.asarray(training, np.int64), units, order)
    text = np.asarray(text, np.int64)
    p = np.full(len(text), 1 / units)
    before = np.zeros(len(text), np.int64)  # number of the (k-1)-gram that ends before each place; -1: never seen
    ending = before
    for k, table in enumerate(tables):
        before = np.zeros(len(text), np.int64) if k == 0 else np.concatenate([[-1], ending[:-1]])
        key = before * units + text
        place = np.minimum(np.searchsorted(table.keys, key), len(table.keys) - 1)
        ending = np.where((before >= 0) & (table.keys[place] == key), place, -1)
        total = np.where(before >= 0, table.total[np.maximum(before, 0)], 0)
        kinds = table.kinds[np.maximum(before, 0)]
        count = np.where(ending >= 0, table.counts[np.maximum(ending, 0)], 0)
        seen = np.maximum(total, 1)
        here = np.maximum(count - table.discount, 0) / seen + table.discount * kinds / seen * p
        p = np.where(total > 0, here, p)
    return p


def _tables(training: np.ndarray, units: int, order: int) -> list[_Order]:
    """The n-grams of all orders up to the highest."""
    ending = np.zeros(len(training), np.int64)  # number of the (k-1)-gram that ends at each place
    levels = []
    for k in range(order):
        before = ending[:-1] if k else ending  # the context ends one place earlier
        unit = training[k:]
        keys, first, ending, counts = np.unique(
            before * units + unit, return_index=True, return_inverse=True, return_counts=True
        )
        levels.append((keys, first, ending, counts, int(levels[-1][0].size) if levels else 1))
    return [_table(levels, k, units) for k in range(order)]


def _table(levels: list, k: int, units: int) -> _Order:
    keys, _, _, counts, contexts = levels[k]
    if k + 1 < len(
        levels
    ):  # how many different units stand in front: every (k+1)-gram is one for the k-gram that ends it
        _, first, _, _, _ = levels[k + 1]
        counts = np.bincount(levels[k][2][first + 1], minlength=len(keys))
    context = keys // units
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else 0.5
    total = np.bincount(context, weights=counts, minlength=contexts)
    kinds = np.bincount(context[counts > 0], minlength=contexts)
    return _Order(keys, counts, total, kinds, discount)
