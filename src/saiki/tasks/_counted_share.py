"""How much of counted n-grams a language model takes: what held-out text says.

    p(u | before) = (1 - share) p_network + share p_counted

A network does not know by heart what it has read a few times, counts do; it generalises, which counts cannot. They err at
different places, so that their mean is better than either. Without anything held out the share is 0, and nothing is counted.
Source: linear interpolation of a recurrent network with Kneser-Ney n-grams: Mikolov et al. 2010, "Recurrent neural network based
language model"; the share by expectation maximisation: Jelinek and Mercer 1980.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saiki.baselines import ngram
from saiki.data.tokens import Tokens
from saiki.shapes import Float

#: units of the longest n-grams
ORDERS = {"characters": 12, "bytepair": 6, "words": 4}
#: how often an n-gram must occur to be kept; those of words may occur once in a text of up to ONCE words
FEWEST, ONCE = 2, 2_000_000
#: units of the text that are counted per second of the budget, at a few per cent of it, the last ones of a long text
PER_SECOND = 15_000
#: units of what is held out that the share is settled on
SETTLED = 200_000
#: rounds of expectation maximisation, and a share too small to be worth the counts
ROUNDS, WORTH = 40, 0.02
#: the file that stands beside the configuration
FILE = "counted.npz"


@dataclass
class CountedShare:
    """The counts of the training text, and their share in what is foreseen, 0 to 1."""

    share: float = 0.0
    counts: ngram.Counts | None = field(default=None, compare=False, repr=False)

    def surprise(self, nats: Float[np.ndarray, "units"], units: np.ndarray, opening: int) -> Float[np.ndarray, "units"]:
        """-log p of the units of a text, which begins after the unit `opening`; `nats` are the network's."""
        if self.counts is None:
            return nats
        counted = self.counts.probabilities(np.append(np.int64(opening), units))[1:]
        return -np.log(_mixed(np.exp(-nats.astype(np.float64)), counted, self.share)).astype(np.float32)

    def logarithms(
        self, network: Float[np.ndarray, "rows units"], before: np.ndarray
    ) -> Float[np.ndarray, "rows units"]:
        """log p of every next unit, from the network's and from what came last (see `ngram.Counts`)."""
        assert self.counts is not None
        p = _mixed(np.exp(network.astype(np.float64)), self.counts.following(before), self.share)
        return np.log(np.maximum(p, np.finfo(np.float64).tiny)).astype(np.float32)

    def files(self) -> dict[str, bytes]:
        """What stands beside the configuration."""
        if self.counts is None:
            return {}
        beside, own = io.BytesIO(), self.counts
        np.savez(beside, sizes=np.array([own.units, own.order]), keys=own.keys, chance=own.chance, left=own.left)
        return {FILE: beside.getvalue()}

    @classmethod
    def read(cls, share: float, files: dict[str, bytes]) -> CountedShare:
        """From those files."""
        if FILE not in files:
            return cls()
        with np.load(io.BytesIO(files[FILE]), allow_pickle=False) as found:
            units, order = (int(n) for n in found["sizes"])
            return cls(share, ngram.Counts(units, order, found["keys"], found["chance"], found["left"]))


def settle(
    training: Tokens,
    held: Tokens,
    nats: Float[np.ndarray, "units"],
    units: int,
    kind: str,
    seconds: float | None,
    opening: int,
) -> CountedShare:
    """Count the training text, and give the counts the share with the least surprise on what is held out.

    nats     the network's surprise at what is held out, of its first units or of all
    seconds  the budget, of which counting takes a small part
    """
    most = ngram.MOST if seconds is None else min(ngram.MOST, int(PER_SECOND * seconds))
    counts = counted(training, units, kind, most)
    text = held.take(0, min(len(nats), SETTLED))
    network = np.exp(-nats[: len(text)].astype(np.float64))
    p = counts.probabilities(np.append(np.int64(opening), text))[1:]
    share = 0.1
    for _ in range(ROUNDS):
        share = float((share * p / _mixed(network, p, share)).mean())
    return CountedShare(round(share, 3), counts) if share >= WORTH else CountedShare()


def counted(training: Tokens, units: int, kind: str, most: int) -> ngram.Counts:
    """The counts of the last units of a text, in single precision."""
    text = training.take(max(0, len(training) - most), len(training))
    found = ngram.count(text, units, ORDERS[kind], 1 if kind == "words" and len(text) <= ONCE else FEWEST)
    return ngram.Counts(units, found.order, found.keys, found.chance.astype(np.float32), found.left.astype(np.float32))


def _mixed(network: Any, counted: Any, share: float) -> Any:
    return (1 - share) * network + share * counted
