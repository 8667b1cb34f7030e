"""One answer per step: words and channels, read by recurrent layers; labels judged together or one by one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saiki.network.crf import CRF
from saiki.network.dropout import Dropout
from saiki.network.embedding import Embedding
from saiki.network.options import Network
from saiki.network.stack import Stack, States
from saiki.sequence import padding_mask
from saiki.shapes import Float

#: numbers in the vector of a feature of spelling
SPELLING = 16


@dataclass(frozen=True)
class TagPlan:
    """The sizes of a tagging network.

    spelling   numbers that the word and each feature of its spelling have; none for series without words
    embedding  numbers in the vector of a word
    channels   numbers per step beside the words
    labels     labels to choose from
    crf        whether the labels of a sequence are judged together
    """

    spelling: tuple[int, ...]
    embedding: int
    channels: int
    labels: int
    crf: bool


class Tagger(nn.Module):
    """Scores of every label at every step.

        x_t = [E_0[word_t], E_1[beginning_t], …, channels_t];   h = stack(x);   s_t = W drop(h_t) + b

    Without a conditional random field, labels are judged step by step: p = softmax(s_t).
    dropout: of words wherever they stand in a batch, and of the components of all vectors, the same at all steps.
    """

    def __init__(self, plan: TagPlan, options: Network, width: int, dropout: tuple[float, float]) -> None:
        super().__init__()
        self.plan = plan
        words, inputs = dropout
        sizes = [plan.embedding, *[SPELLING] * (len(plan.spelling) - 1)]
        self.tables = nn.ModuleList(
            Embedding(count, size, 0.0 if k else words, inputs)
            for k, (count, size) in enumerate(zip(plan.spelling, sizes, strict=False))
        )
        features = sum(sizes[: len(plan.spelling)]) + plan.channels
        self.stack = Stack(features, options, width)
        self.drop = Dropout(options.dropout)
        self.head = nn.Linear(self.stack.output_width, plan.labels)
        self.crf = CRF(plan.labels) if plan.crf else None

    def vectors(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch time features"]:
        """What the recurrent layers read."""
        parts = [table(batch["words"][..., k]) for k, table in enumerate(self.tables)]
        return torch.cat([*parts, batch["values"]], -1)

    def forward(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch time labels"]:
        """From words `[batch, time, features]`, values `[batch, time, channels]`, lengths, and gap and observed where there are."""
        given = {name: batch[name] for name in ("gap", "observed") if name in batch}
        h, _ = self.stack(self.vectors(batch), batch["lengths"], **given)
        return self.head(self.drop(h))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean surprise of the labels per step, in nats; truth `[batch, time]` is -1 where it is unknown."""
        scores, truth = self(batch), batch["truth"]
        if self.crf is None:
            known = truth >= 0
            total = nn.functional.cross_entropy(scores[known], truth[known], reduction="sum")
            return total / known.sum().clamp_min(1)
        return -self.crf(scores, truth, batch["lengths"]).sum() / batch["lengths"].sum()

    def answers(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The best labels `[steps]` of all valid steps, row by row, and the probabilities `[steps, labels]` of all labels."""
        scores, lengths = self(batch), batch["lengths"]
        inside = padding_mask(lengths.to(scores.device), scores.shape[1])
        if self.crf is None:
            p = scores.softmax(-1)[inside]
            return p.argmax(-1), p
        best = [label for row in self.crf.decode(scores, lengths) for label in row]
        return torch.tensor(best, dtype=torch.long), self.crf.marginals(scores, lengths)[inside]

    def step(self, batch: dict[str, Tensor], states: States) -> tuple[Float[Tensor, "batch labels"], States]:
        """Probabilities after one more step of every row: as `answers` gives them at the end of the sequence so far."""
        given = {name: batch[name][:, 0] for name in ("gap", "observed") if name in batch}
        h, states = self.stack.step(self.vectors(batch)[:, 0], states, **given)
        return self.head(h).softmax(-1), states
