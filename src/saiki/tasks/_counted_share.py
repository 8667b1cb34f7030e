"""How much of counted n-grams a language model takes: what held-out text says.

    p(u | before) = (1 - share) p_network + share p_counted

A network does not know by heart what it has read a few times, counts do; it generalises, which counts cannot. They err at
different places, so that their mean is better than either. Without anything held out the share is 0, and nothing is counted.
Source: linear interpolation of a recurrent network with Kneser-Ney n-grams: Mikolov et al. 2010, "Recurrent neural network based
language model"; the share by expectation maximisation: Jelinek and Mercer 1980.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saiki.baselines import ngram
from saiki.data.tokens import Tokens
from saiki.errors import ModelError
from saiki.shapes import Float, Int

#: units of the longest n-grams
ORDERS = {"characters": 12, "bytepair": 6, "words": 4}
#: how often an n-gram must occur to be kept; those of words may occur once in a text of up to ONCE words
FEWEST, ONCE = 2, 2_000_000
#: units of the text that are counted per second of the budget, at a few per cent of it, the last ones of a long text
PER_SECOND = 15_000
#: units that are counted at least
LEAST = 1000
#: units of what is held out that the share is settled on, and that are judged at once
SETTLED, TOGETHER = 100_000, 1_000_000
#: rounds of expectation maximisation, which begins at a share and holds to it as if so many units had said it
ROUNDS, BEGIN, PRIOR = 40, 0.1, 20
#: a share too small to be worth the counts, and the highest: the network always has its part
WORTH, HIGHEST = 0.02, 0.95
#: bytes of the counts of a model that is loaded, and units of its longest n-grams, at most
LARGEST, LONGEST = 2**32, 64
#: the file that stands beside the configuration
FILE = "counted.npz"


@dataclass
class CountedShare:
    """The counts of the training text, and their share in what is foreseen, 0 to 1."""

    share: float = 0.0
    counts: ngram.Counts | None = field(default=None, compare=False, repr=False)

    def surprise(
        self, nats: Float[np.ndarray, "units"], units: Int[np.ndarray, "units"], opening: int
    ) -> Float[np.ndarray, "units"]:
        """-log p of the units of a text, which begins after the unit `opening`; `nats` are the network's."""
        if self.counts is None:
            return nats
        before, found = np.array([opening], np.int64), np.empty(len(nats), np.float32)
        for start in range(0, len(nats), TOGETHER):
            some = units[start : start + TOGETHER]
            counted = self.counts.probabilities(np.append(before, some))[len(before) :]
            network = np.exp(-nats[start : start + TOGETHER].astype(np.float64))
            found[start : start + TOGETHER] = -np.log(_mixed(network, counted, self.share))
            before = np.append(before, some)[-self.counts.order :]
        return found

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
        sizes, gaps = np.array([own.units, own.order]), np.diff(own.keys, prepend=0)
        np.savez_compressed(beside, sizes=sizes, gaps=gaps, chance=own.chance, left=own.left)
        return {FILE: beside.getvalue()}

    @classmethod
    def read(cls, share: Any, files: dict[str, bytes], units: int) -> CountedShare:
        """From those files, of a model of so many units; ModelError for what cannot be counts."""
        if FILE not in files:
            return cls()
        try:
            counts = _read(files[FILE])
        except Exception as error:  # what a file of a stranger may hold is not to be foreseen
            raise ModelError(f"{FILE} is damaged ({error}); copy the folder again") from error
        if counts.units != units or not isinstance(share, float) or not 0 <= share <= 1:
            raise ModelError(f"{FILE} does not fit its model; copy the folder again")
        return cls(share, counts)


def _read(data: bytes) -> ngram.Counts:
    """Counts from a file, checked: a node stands behind its parent, and chances are chances."""
    if sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist()) > LARGEST:
        raise ValueError("too large")
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        units, order = (int(n) for n in found["sizes"])
        gaps, chance, left = (found[name] for name in ("gaps", "chance", "left"))
    keys, nodes = gaps.cumsum(), np.arange(len(gaps))
    whole = gaps.dtype == np.int64 and gaps.shape == chance.shape == (len(left) - 1,) == (len(keys),)
    floats = all(part.dtype == np.float32 and ((part >= 0) & (part <= 1)).all() for part in (chance, left))
    if not (whole and floats and len(keys) and 1 <= order <= LONGEST and units >= 1):
        raise ValueError("not the counts of n-grams")
    if (gaps[1:] <= 0).any() or keys[0] < 0 or (keys // units > nodes).any():
        raise ValueError("not a tree of n-grams")
    return ngram.Counts(units, order, keys, chance, left)


def settle(
    candidates: Sequence[ngram.Counts],
    held: Int[np.ndarray, "units"],
    nats: Float[np.ndarray, "units"],
    opening: int,
) -> CountedShare:
    """Those counts, with that share, which are the least surprised at what is held out; `nats` are the network's surprise."""
    network, best = np.exp(-nats.astype(np.float64)), (float(nats.sum(dtype=np.float64)), CountedShare())
    for counts in candidates:
        p, share = counts.probabilities(np.append(np.int64(opening), held))[1:], BEGIN
        for _ in range(ROUNDS):
            told = (share * p / _mixed(network, p, share)).sum()
            share = min(HIGHEST, float(told + PRIOR * BEGIN) / (len(p) + PRIOR))
        share = round(share, 3)
        if share >= WORTH:
            surprise = -float(np.log(_mixed(network, p, share)).sum())
            best = min(best, (surprise, CountedShare(share, counts)), key=lambda pair: pair[0])
    return best[1]


def counted(training: Tokens, units: int, kind: str, seconds: float | None) -> ngram.Counts:
    """The counts of the last units of a text, as many as a small part of the budget is enough for, in single precision."""
    most = ngram.MOST if seconds is None else max(LEAST, min(ngram.MOST, int(PER_SECOND * seconds)))
    text = training.take(max(0, len(training) - most), len(training))
    found = ngram.count(text, units, ORDERS[kind], 1 if kind == "words" and len(text) <= ONCE else FEWEST)
    return ngram.Counts(units, found.order, found.keys, found.chance.astype(np.float32), found.left.astype(np.float32))


def _mixed(network: Any, counted: Any, share: float) -> Any:
    return (1 - share) * network + share * counted
