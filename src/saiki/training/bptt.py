"""Truncated back-propagation: long sequences are cut, and the state is carried from cut to cut without its gradient.

    cuts = Cuts(lengths, batch=32, size=100, seed=0)     cuts.epoch steps make an epoch
    cut = cuts.at(step)                                  which sequences, and from which step on
    if cut.first:
        carry.reset()
    output, states = network(x, carry.given(network, x))
    carry.keep(states)

A problem of the training loop that has a `carry` is resumed in the middle of a sequence too. A corpus that is one long
sequence is cut into `batch` streams of equal length first: each is then a sequence here, and each row of a batch goes on
where it stopped in the batch before.

Source: Williams and Peng 1990, "An efficient gradient-based algorithm for on-line training of recurrent network
trajectories", BPTT(h; h'), with h = h' = size.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from saiki.errors import DataError


class Cut(NamedTuple):
    """The steps from `start` on of some sequences; `first` where they begin, and with them their states."""

    rows: np.ndarray
    start: int
    first: bool


class Cuts:
    """The order in which the cuts of many sequences are seen: batch after batch, every batch from its start to its end.

    Sequences of as many cuts are drawn together, anew in every epoch, so that few rows of a batch end before the others.
    """

    def __init__(self, lengths: np.ndarray, batch: int, size: int, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self.size = size
        self.pieces = -(-np.asarray(lengths) // size)  # cuts of every sequence
        ordered = np.sort(self.pieces)
        self._counts = np.array([ordered[start : start + batch].max() for start in range(0, len(ordered), batch)], int)
        self.epoch = int(self._counts.sum())
        if not self.epoch:
            raise DataError("got no steps at all; expected at least one sequence of at least one step")
        self._order = lru_cache(maxsize=1)(self._drawn)

    def at(self, step: int) -> Cut:
        """The cut of an optimiser step."""
        epoch, within = divmod(step, self.epoch)
        order, batches, ends = self._order(epoch)
        place = int(np.searchsorted(ends, within, side="right"))
        start = within - (int(ends[place - 1]) if place else 0)
        first = int(batches[place]) * self.batch
        return Cut(order[first : first + self.batch], start * self.size, start == 0)

    def _drawn(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sequences in the order of batches, batches in the order seen, and the cut after the last of each."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.pieces))
        order = order[np.argsort(self.pieces[order], kind="stable")]
        batches = rng.permutation(len(self._counts))
        return order, batches, np.cumsum(self._counts[batches])


class Carry:
    """The states of a batch between two cuts: any nest of tuples, named tuples and lists of tensors."""

    def __init__(self) -> None:
        self._parts: list[Tensor] | None = None
        self._like: Any = None

    def reset(self) -> None:
        """Forget: the next sequences begin."""
        self._parts = self._like = None

    def given(self, network: nn.Module, x: Tensor) -> Any:
        """The states for the next cut; None at the beginning, where the network has its own."""
        if self._parts is None:
            return None
        if self._like is None:  # read from a checkpoint, which has no nest: the network shows it
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                self._like = network(x[:, :1])[1]
        return _nested(self._like, iter(self._parts))

    def keep(self, states: Any) -> None:
        """Keep the states after a cut, cut off from what computed them."""
        self._parts = [part.detach() for part in _flat(states)]
        self._like = _nested(states, iter(self._parts))

    def tensors(self) -> dict[str, Tensor]:
        """The states under flat names, for a checkpoint."""
        return {f"{number:04d}": part for number, part in enumerate(self._parts or [])}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Back from a checkpoint."""
        self.reset()
        self._parts = [tensors[name] for name in sorted(tensors)] or None


def _flat(states: Any) -> Iterator[Tensor]:
    if isinstance(states, Tensor):
        yield states
    else:
        for part in states:
            yield from _flat(part)


def _nested(like: Any, parts: Iterator[Tensor]) -> Any:
    """The parts in the nest of `like`."""
    if isinstance(like, Tensor):
        return next(parts)
    inner = [_nested(part, parts) for part in like]
    return type(like)(*inner) if hasattr(like, "_fields") else type(like)(inner)
