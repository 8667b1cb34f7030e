"""Pairs of texts as the training loop wants them: batches of like length, and the surprise of held-out answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from saiki.modalities.text import END
from saiki.network.decoder import Translator
from saiki.shapes import Int

#: batches among which pairs are sorted by length
POOL = 50
#: pairs that are validated together
TOGETHER = 128
#: epochs after which scheduled sampling has its full share
SETTLED = 10


def padded(rows: Sequence[np.ndarray]) -> tuple[Int[Tensor, "batch time"], Int[Tensor, "batch"]]:
    """Token rows as one batch, ends of text in the padding, and their lengths."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
    values = torch.full((len(rows), max(map(len, rows), default=0)), END)
    for place, row in enumerate(rows):
        values[place, : len(row)] = torch.from_numpy(np.asarray(row, np.int64))
    return values, lengths


class PairProblem:
    """Teacher forcing: after every unit of the known answer, the next one; the end of a text begins and ends an answer."""

    def __init__(
        self,
        train: tuple[list[np.ndarray], list[np.ndarray]],
        valid: tuple[list[np.ndarray], list[np.ndarray]] | None,
        batch: int,
        seed: int,
        smoothing: float,
        sampled: float,
    ) -> None:
        self.train, self.valid, self.batch, self.seed = train, valid, batch, seed
        self.smoothing, self.sampled = smoothing, sampled
        self.epoch = -(-len(train[0]) // batch)
        self._order: tuple[int, list[np.ndarray]] | None = None

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Tensor]:
        epoch, part = divmod(step, self.epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self._batches(np.random.default_rng([self.seed, epoch]))
        found = _batch(self.train, self._order[1][part])
        if self.sampled:
            share = self.sampled * min(1.0, step / (SETTLED * self.epoch))
            found["own"] = torch.from_numpy(rng.random(found["target"].shape) < share)
        return found

    def _batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Every pair once: drawn, sorted by length within pools, batches in any order."""
        lengths = np.array([len(a) + len(b) for a, b in zip(*self.train, strict=True)])
        drawn, pool, batches = rng.permutation(len(lengths)), self.batch * POOL, []
        for start in range(0, len(drawn), pool):
            rows = drawn[start : start + pool]
            rows = rows[np.argsort(lengths[rows], kind="stable")]
            batches += [rows[k : k + self.batch] for k in range(0, len(rows), self.batch)]
        return [batches[k] for k in rng.permutation(len(batches))]

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        assert isinstance(network, Translator)
        memory = network.encode(batch["source"], batch["source_lengths"])
        given, lengths = batch["given"], batch["lengths"]
        inside = torch.arange(given.shape[1], device=given.device) < lengths.to(given.device)[:, None]
        if "own" in batch and network.training:
            with torch.no_grad():
                said = torch.full_like(given, END)
                said[inside] = network.decoder(given, lengths, memory).argmax(1)
            own = torch.cat([given[:, :1], said[:, :-1]], 1)
            given = torch.where(batch["own"] & (torch.arange(given.shape[1], device=given.device) > 0), own, given)
        smoothing = self.smoothing if network.training else 0.0
        return network.decoder.surprise(given, lengths, memory, batch["target"][inside], smoothing)

    def validate(self, network: nn.Module) -> float:
        """The mean surprise of the units of held-out answers, in nats; NaN without any."""
        if self.valid is None or not len(self.valid[0]):
            return float("nan")
        total, count = 0.0, 0
        for start in range(0, len(self.valid[0]), TOGETHER):
            batch = _batch(self.valid, range(start, min(start + TOGETHER, len(self.valid[0]))))
            units = int(batch["lengths"].sum())
            total, count = total + float(self.loss(network, batch)) * units, count + units
        return total / count


def _batch(pairs: tuple[list[np.ndarray], list[np.ndarray]], rows) -> dict[str, Tensor]:
    source, source_lengths = padded([pairs[0][row] for row in rows])
    given, lengths = padded([np.concatenate([[END], pairs[1][row]]) for row in rows])
    target, _ = padded([np.concatenate([pairs[1][row], [END]]) for row in rows])
    return {"source": source, "source_lengths": source_lengths, "given": given, "target": target, "lengths": lengths}
