"""Kneser-Ney n-grams: every unit by what followed the few units before it in the training text.

    P_k(w | h) = max(c(h w) - D_k, 0) / c(h) + left(h) P_{k-1}(w | h')        left(h): what the first part leaves of 1

c counts, in orders below the highest one, the different units in front of what it counts; h' is h without its first unit;
D_k = n_1 / (n_1 + 2 n_2). Below the first order all units are equal.
Source: Kneser and Ney 1995, interpolated as in Chen and Goodman 1999, section 4.1.6, one discount per order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saiki.shapes import Float, Int

TASKS = ("generate",)
#: units of the training text at most, the last ones: a table of all n-grams of a longer one would not fit in memory
MOST = 8_000_000
#: orders that are tried, best on the held-out tail of the training text
ORDERS = (2, 3, 4, 5, 6, 7, 8)
TAIL = 50_000
#: last units of the training text on which orders are tried
SEARCHED = 1_000_000


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
    return count(training, units, order).probabilities(text)


@dataclass(frozen=True)
class Counts:
    """The n-grams of a text as a tree: node 0 is the empty one, and each other node one more unit behind its parent's.

    keys    int64, rising: parent · units + unit of every node but the first, which are numbered in this order from 1 on
    chance  of the unit of every such node, after its parent's units: max(c - D, 0) / c(parent)
    left    of every node: what its children leave for the last units without the first of them

    What came last in a text is `[rows, order]` nodes: of the last 0, 1, …, order - 1 units; -1 for what the tree does not have.
    """

    units: int
    order: int
    keys: np.ndarray
    chance: np.ndarray
    left: np.ndarray

    def probabilities(self, text: np.ndarray) -> np.ndarray:
        """p of every unit of a text given the units before it: `[text]`; the text begins without a past."""
        text, p = np.asarray(text, np.int64), np.full(len(text), 1 / self.units)
        before = np.zeros(len(text), np.int64)
        for _ in range(self.order):
            node = self._child(before, text)
            here = np.where(node > 0, self.chance[np.maximum(node - 1, 0)], 0.0) + self.left[np.maximum(before, 0)] * p
            p = np.where(before >= 0, here, p)
            before = np.append(np.int64(-1), node[:-1])
        return p

    def begin(self, rows: int) -> Int[np.ndarray, "rows order"]:
        """Nothing came before."""
        return np.where(np.arange(self.order) == 0, 0, -1) + np.zeros((rows, 1), np.int64)

    def after(
        self, before: Int[np.ndarray, "rows order"], unit: Int[np.ndarray, "rows"]
    ) -> Int[np.ndarray, "rows order"]:
        """What came last after one more unit of every row."""
        behind = self._child(before[:, :-1], unit[:, None])
        return np.concatenate([np.zeros((len(before), 1), np.int64), behind], 1)

    def following(self, before: Int[np.ndarray, "rows order"]) -> np.ndarray:
        """p of every unit after what came last: `[rows, units]`."""
        return np.stack([self._following(nodes[nodes >= 0]) for nodes in before])

    def _following(self, nodes: Int[np.ndarray, "known"]) -> Float[np.ndarray, "units"]:
        # Σ over contexts: what the longer ones leave, times the chances of the children, which stand side by side
        begins, ends = self.keys.searchsorted(np.concatenate([nodes, nodes + 1]) * self.units).reshape(2, -1)
        many = ends - begins
        left = np.where(many > 0, self.left[nodes].astype(np.float64), 1.0)[::-1].cumprod()[::-1]
        share = np.append(left[1:], 1.0)
        child = np.repeat(begins - many.cumsum() + many, many) + np.arange(many.sum())
        unit = self.keys[child] - np.repeat(nodes * self.units, many)
        return np.bincount(unit, self.chance[child] * np.repeat(share, many), self.units) + left[0] / self.units

    def _child(self, node: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """The node of one more unit; -1 where there is none, or no node."""
        key = node * self.units + unit
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where((node >= 0) & (self.keys[place] == key), place + 1, -1)


def count(text: np.ndarray, units: int, order: int, fewest: int = 1) -> Counts:
    """The n-grams of a text; of two units or more those that occur `fewest` times. What is left out goes to shorter ones."""
    text = np.asarray(text, np.int64)
    keys, chances, lefts = [], [], []
    places, parent = np.arange(len(text)), np.zeros(len(text), np.int64)  # where n-grams end, and what is before
    first, end = 0, 1  # the nodes of the level above
    for k in range(order):
        found, number, times = np.unique(parent * units + text[places], return_inverse=True, return_counts=True)
        counts = times if k + 1 == order else _in_front(text, places - k - 1, number, times, units)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once and twice else 0.5
        context = found // units - first
        total = np.bincount(context, weights=counts, minlength=end - first)
        kept = times >= (fewest if k else 1)
        chance = np.maximum(counts - discount, 0)[kept] / np.maximum(total[context[kept]], 1)
        keys.append(found[kept])
        chances.append(chance)
        lefts.append(1 - np.bincount(context[kept], weights=chance, minlength=end - first))
        node = np.where(kept, end - 1 + np.cumsum(kept), -1)[number]
        first, end = end, end + int(kept.sum())
        on = (node >= 0) & (places + 1 < len(text))
        places, parent = places[on] + 1, node[on]
    lefts.append(np.ones(end - first))
    return Counts(units, order, np.concatenate(keys), *(np.concatenate(part) for part in (chances, lefts)))


def _in_front(text: np.ndarray, front: np.ndarray, number: np.ndarray, times: np.ndarray, units: int) -> np.ndarray:
    """How many different units stand in front of every n-gram; of one at the beginning of the text none does."""
    inside = front >= 0
    several = inside & (times[number] > 1)
    pairs = np.unique(number[several] * units + text[front[several]])
    found = np.bincount(pairs // units, minlength=len(times))
    return found + np.bincount(number[inside & (times[number] == 1)], minlength=len(times))
