"""Series with a label per step as the training loop wants them: batches of like length, long series in stretches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from saiki.network.tagger import Tagger
from saiki.sequence import Ragged

#: batches among which series are sorted by length
POOL = 20
#: padded steps that are answered together, at most
TOGETHER = 20_000


@dataclass(frozen=True)
class Encoded:
    """Steps as numbers: spelling `[steps, features]`, channels, and truth `[steps]`, codes or -1."""

    words: np.ndarray
    channels: Ragged
    truth: np.ndarray
    given: bool  # whether cells are told gap and observed

    @property
    def lengths(self) -> np.ndarray:
        return self.channels.lengths

    @property
    def starts(self) -> np.ndarray:
        return self.channels.starts

    def batch(self, starts: np.ndarray, lengths: np.ndarray) -> dict[str, Tensor]:
        """The steps from `starts` on, padded with zeros, the truth with -1."""
        time = np.arange(int(lengths.max(initial=0)))
        inside = time < lengths[:, None]
        place = np.where(inside, starts[:, None] + time, 0)
        parts = {"words": self.words, "values": self.channels.values}
        if self.given and self.channels.gap is not None:
            parts["gap"] = self.channels.gap[:, None]
        if self.given and self.channels.observed is not None:
            parts["observed"] = self.channels.observed
        found = {name: torch.from_numpy(np.where(inside[..., None], a[place], 0)) for name, a in parts.items()}
        truth = torch.from_numpy(np.where(inside, self.truth[place], -1))
        return found | {"truth": truth, "lengths": torch.from_numpy(np.asarray(lengths, np.int64))}

    def parts(self, series: np.ndarray) -> Iterator[np.ndarray]:
        """`series` in groups of like length, each of at most so many padded steps."""
        order = series[np.argsort(self.lengths[series], kind="stable")]
        begin = 0
        while begin < len(order):
            end = begin + 1
            while end < len(order) and (end + 1 - begin) * self.lengths[order[end]] <= TOGETHER:
                end += 1
            yield order[begin:end]
            begin = end


@dataclass(frozen=True)
class Part:
    """Stretches of series: where they start among all steps, and how long they are."""

    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, longest: int, rng: np.random.Generator) -> Part:
        """In pieces of at most so many steps; where a long one is cut first is drawn."""
        starts, lengths = [], []
        for start, length in zip(self.starts.tolist(), self.lengths.tolist(), strict=True):
            first = int(rng.integers(1, longest + 1)) if length > longest else length
            cuts = [0, *range(first, length, longest), length] if length else [0]
            starts += [start + c for c in cuts[:-1]]
            lengths += np.diff(cuts).tolist()
        return Part(np.array(starts, np.int64), np.array(lengths, np.int64))


class TagProblem:
    """Every epoch sees every training step once; what is held out is judged by the surprise of its labels."""

    def __init__(
        self, data: Encoded, seen: Part, judged: Encoded, held: Part, longest: int, batch: int, seed: int
    ) -> None:
        self.data, self.seen, self.judged, self.held = data, seen, judged, held
        self.longest, self.batch, self.seed = longest, batch, seed
        self.epoch = max(1, int(np.ceil(np.maximum(1, np.ceil(seen.lengths / longest)).sum() / batch)))
        self._order: tuple[int, list[Part]] | None = None

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Tensor]:
        epoch, part = divmod(step, self.epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self._batches(np.random.default_rng([self.seed, epoch]))
        found = self._order[1][part % len(self._order[1])]
        return self.data.batch(found.starts, found.lengths)

    def _batches(self, rng: np.random.Generator) -> list[Part]:
        """Drawn, sorted by length within pools, batches in any order."""
        pieces = self.seen.cut(self.longest, rng)
        size = int(np.ceil(len(pieces) / self.epoch))
        drawn, batches = rng.permutation(len(pieces)), []
        for start in range(0, len(drawn), size * POOL):
            rows = drawn[start : start + size * POOL]
            rows = rows[np.argsort(pieces.lengths[rows], kind="stable")]
            batches += [rows[k : k + size] for k in range(0, len(rows), size)]
        return [Part(pieces.starts[batches[k]], pieces.lengths[batches[k]]) for k in rng.permutation(len(batches))]

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        assert isinstance(network, Tagger)
        return network.loss(batch)

    def validate(self, network: nn.Module) -> float:
        """The mean surprise per step of labels held out, in nats; NaN without any.

        Where labels are judged together, a series with an unknown one has no surprise, and is left out.
        """
        assert isinstance(network, Tagger)
        total, count = 0.0, 0
        order = np.argsort(self.held.lengths, kind="stable")
        if network.crf is not None:
            order = order[[self._known(row) for row in order]]
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            batch = self.judged.batch(self.held.starts[rows], self.held.lengths[rows])
            known = int((batch["truth"] >= 0).sum())
            if known:
                total, count = total + float(network.loss(batch)) * known, count + known
        return total / count if count else float("nan")

    def _known(self, row: int) -> bool:
        """Whether training knows all labels of a held stretch."""
        start, length = self.held.starts[row], self.held.lengths[row]
        return bool((self.judged.truth[start : start + length] >= 0).all())
