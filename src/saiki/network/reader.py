"""Documents to scores: the vectors of the units, read by the labelling network."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from saiki.network.embedding import Embedding
from saiki.network.hierarchy import SentenceReader, Sentences
from saiki.network.labeller import Labeller, Labellers, LabelPlan
from saiki.network.options import Network
from saiki.shapes import Float


class TextLabeller(nn.Module):
    """A `Labeller` whose steps are the vectors of units; the values of a batch are their numbers."""

    def __init__(self, plan: LabelPlan, options: Network, width: int, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.labeller = Labeller(plan, options, width)

    def forward(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch outputs"]:
        return self.scores(self.embedding(batch["values"][..., 0]), batch)

    def scores(
        self, vectors: Float[Tensor, "batch time features"], batch: dict[str, Tensor]
    ) -> Float[Tensor, "batch outputs"]:
        """`forward` with these vectors in place of those of the units."""
        return self.labeller({**batch, "values": vectors})

    def looks(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch time"]:
        """How much attention gives to every unit."""
        return self.labeller.looks({**batch, "values": self.embedding(batch["values"][..., 0])})


class HierarchicalLabeller(nn.Module):
    """A `Labeller` whose steps are the vectors of sentences; the values of a batch are numbers of units and of sentences."""

    def __init__(self, plan: LabelPlan, options: Network, width: int, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.reader = SentenceReader(plan.features, options, width)
        self.labeller = Labeller(replace(plan, features=self.reader.words.output_width), options, width)

    def forward(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch outputs"]:
        return self.scores(self.embedding(batch["values"][..., 0]), batch)

    def scores(
        self, vectors: Float[Tensor, "batch time features"], batch: dict[str, Tensor]
    ) -> Float[Tensor, "batch outputs"]:
        """`forward` with these vectors in place of those of the units."""
        return self.labeller(self._read(vectors, batch)[0])

    def looks(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch time"]:
        """How much every unit counts: its share of its sentence, times the share of that in the document."""
        upper, words = self._read(self.embedding(batch["values"][..., 0]), batch)
        sentences = self.labeller.looks(upper)
        return words * sentences.gather(1, batch["values"][..., 1]) if sentences.shape[1] else words

    def _read(self, vectors: Tensor, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        sentences = Sentences.of(batch["values"][..., 1], batch["lengths"])
        upper, words = self.reader(vectors, sentences)
        return {**batch, "values": upper, "lengths": sentences.counts}, words


class TextLabellers(Labellers):
    """Several of them, as `Labellers` averages them.

    units    numbers that units have
    dropout  of units, and of the components of their vectors
    vectors  first vectors of some units: their numbers, and `[found, features]`
    by_sentence  whether documents are read sentence by sentence
    """

    def __init__(
        self,
        plan: LabelPlan,
        options: Network,
        width: int,
        units: int,
        dropout: tuple[float, float],
        vectors: tuple[Tensor, Tensor] | None = None,
        by_sentence: bool = False,
    ) -> None:
        nn.Module.__init__(self)
        kind, members = HierarchicalLabeller if by_sentence else TextLabeller, []
        for _ in range(plan.members):
            embedding = Embedding(units, plan.features, *dropout)
            if vectors is not None:
                embedding.put(*vectors)
            members.append(kind(plan, options, width, embedding))
        self.members = nn.ModuleList(members)
        self._fitted(plan)
