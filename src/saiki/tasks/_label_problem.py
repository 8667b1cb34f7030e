"""Labelled series as the training loop wants them: every member of an ensemble draws from its own part of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saiki.sequence import Batch, Ragged
from saiki.training.readout import Block, Readout

#: steps that are answered together, at most
TOGETHER = 100_000
#: strength of the changes: spread of noise and of a channel's factor, longest part that is masked or cut off
NOISE, SCALE, MASK, CROP = 0.1, 0.15, 0.15, 0.2
#: series of the validation score at most; it steers training, the full scores are taken at the end
MOST_VALIDATED = 1500


@dataclass(frozen=True)
class Encoded:
    """Series as numbers: steps, static `[series, static]`, and truth `[series]` (codes, or numbers in units of training)."""

    steps: Ragged
    static: np.ndarray
    truth: np.ndarray
    numeric: int  # the first features, which are measured values

    def __len__(self) -> int:
        return len(self.steps)

    def batch(self, rows: np.ndarray) -> dict[str, Tensor]:
        """These series, padded."""
        padded = Batch.of(self.steps.take(rows))
        found = {"values": padded.values, "lengths": padded.lengths, "static": torch.from_numpy(self.static[rows])}
        for name in ("gap", "observed"):
            if (part := getattr(padded, name)) is not None:
                found[name] = part if part.ndim == 3 else part[..., None]
        return found

    def parts(self, rows: np.ndarray) -> list[np.ndarray]:
        """`rows` in groups of similar length, each of at most so many padded steps."""
        order = rows[np.argsort(self.steps.lengths[rows], kind="stable")]
        found, begin = [], 0
        while begin < len(order):
            end = begin + 1
            while end < len(order) and (end + 1 - begin) * self.steps.lengths[order[end]] <= TOGETHER:
                end += 1
            found.append(order[begin:end])
            begin = end
        return found


def answers(network: nn.Module, data: Encoded, rows: np.ndarray) -> Tensor:
    """A network's scores of some series: `[rows, outputs]`."""
    if not len(rows):
        return torch.empty(0, 0)
    parts = data.parts(rows)
    with torch.no_grad():
        found = torch.cat([network(data.batch(part)) for part in parts])
    place = np.empty(int(rows.max()) + 1, np.int64)
    place[np.concatenate(parts)] = np.arange(len(rows))
    return found[torch.from_numpy(place[rows])]


class LabelProblem:
    """`seen[k]` are the series that member k learns from, `held[k]` those it is validated on."""

    def __init__(
        self,
        data: Encoded,
        seen: list[np.ndarray],
        judged: Encoded,
        held: list[np.ndarray],
        objective: Callable[[Tensor, Tensor], Tensor],
        score: Callable[[Tensor, Tensor], Tensor],
        changes: tuple[str, ...],
        batch: int,
        targets: Callable[[np.ndarray], tuple[Tensor, Tensor | None]] | None = None,
    ) -> None:
        self.data, self.seen, self.judged, self.held = data, seen, judged, held
        self.objective, self.score, self.changes, self.targets = objective, score, changes, targets
        self.batch = min(batch, *map(len, seen))
        self.epoch = -(-max(map(len, seen)) // self.batch)

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Tensor]:
        """The batches of all members, under names with the member's number in front."""
        epoch, part = divmod(step, self.epoch)
        found: dict[str, Tensor] = {}
        for member, seen in enumerate(self.seen):
            order = np.random.default_rng([member, epoch]).permutation(seen)
            rows = order[np.arange(part * self.batch, (part + 1) * self.batch) % len(order)]
            batch = self._changed(self.data.batch(rows), rng)
            batch["truth"] = torch.from_numpy(self.data.truth[rows])
            found |= {f"{member}.{name}": value for name, value in batch.items()}
        return found

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The mean over members of their objectives, each on its own batch."""
        losses = []
        for number, member in enumerate(network.members):  # type: ignore[arg-type]
            own = {k.partition(".")[2]: v for k, v in batch.items() if k.startswith(f"{number}.")}
            losses.append(self.objective(member(own), own["truth"]))
        return torch.stack(losses).mean()

    def readouts(self, network: nn.Module) -> Iterator[Readout]:
        """One readout per member, of the series that it learns from, as they are."""
        for member, seen in zip(network.members, self.seen, strict=True):  # type: ignore[arg-type]
            head = member.head
            yield Readout(head.in_features, head.out_features, len(seen), self._blocks(member, seen), member.take)

    def _blocks(self, member: Any, seen: np.ndarray) -> Iterator[Block]:
        """Pooled states, and the scores that the readout should give."""
        assert self.targets is not None
        for rows in self.data.parts(seen):
            yield member.pooled(self.data.batch(rows)), *self.targets(self.data.truth[rows])

    def validate(self, network: nn.Module) -> float:
        """The mean over all series held out of their member's score; NaN without any."""
        most = max(1, MOST_VALIDATED // max(1, len([rows for rows in self.held if len(rows)])))
        scores, truth = self.left_out(network, most)
        return float(self.score(scores, truth)) if len(truth) else float("nan")

    def left_out(self, network: nn.Module, most: int | None = None) -> tuple[Tensor, Tensor]:
        """Scores of the series held out, by the member that has not seen them, and their truth; `most` per member."""
        members = list(network.members)  # type: ignore[arg-type]
        held = [rows[:: max(1, -(-len(rows) // most))] if most else rows for rows in self.held]
        found = [answers(m, self.judged, rows) for m, rows in zip(members, held, strict=True) if len(rows)]
        truth = [self.judged.truth[rows] for rows in held if len(rows)]
        if not found:
            return torch.empty(0, 0), torch.empty(0)
        return torch.cat(found), torch.from_numpy(np.concatenate(truth))

    def _changed(self, batch: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Series that say the same: with noise, at another scale, with a stretch that is not seen, or cut at their ends."""
        values, lengths, count = batch["values"], batch["lengths"].numpy(), self.data.numeric
        series, time = values.shape[:2]
        draw = lambda *shape: torch.from_numpy(rng.standard_normal(shape, np.float32))  # noqa: E731
        measured = values[..., :count]
        if "noise" in self.changes:
            measured += NOISE * draw(series, time, count)
        if "scale" in self.changes:
            measured *= 1 + SCALE * draw(series, 1, count)
        if "mask" in self.changes:
            begin, size = _stretch(rng, lengths, MASK)
            inside = torch.from_numpy((np.arange(time) >= begin[:, None]) & (np.arange(time) < (begin + size)[:, None]))
            values[..., :count] = measured.masked_fill(inside[..., None], 0)
        return self._cropped(batch, rng) if "crop" in self.changes else batch

    def _cropped(self, batch: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        lengths = batch["lengths"].numpy()
        _, off = _stretch(rng, lengths, CROP)  # of `off` steps that go, a random share goes from the front
        front = (off * rng.random(len(off))).astype(np.int64)
        kept = np.maximum(lengths - off, np.minimum(lengths, 1))
        place = torch.from_numpy(front[:, None] + np.arange(int(kept.max(initial=0)))).clamp(
            max=max(batch["values"].shape[1] - 1, 0)
        )
        found = dict(batch, lengths=torch.from_numpy(kept))
        for name in ("values", "gap", "observed"):
            if name in batch:
                found[name] = batch[name].gather(1, place[..., None].expand(-1, -1, batch[name].shape[2]))
        return found


def _stretch(rng: np.random.Generator, lengths: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Begin and size of a stretch of each series, up to a share of it."""
    size = (lengths * share * rng.random(len(lengths))).astype(np.int64)
    return (rng.random(len(lengths)) * (lengths - size + 1)).astype(np.int64), size
