"""Documents of sentences to vectors of sentences: the words of every sentence are read, and pooled by attention."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.network.attention import AttentionPool
from saiki.network.dropout import Dropout
from saiki.network.options import Network
from saiki.network.stack import Stack
from saiki.sequence import padding_mask
from saiki.shapes import Bool, Float, Int


class Sentences(NamedTuple):
    """The sentences of a batch of documents, one after the other, and where their units stand.

    row, place  [units] sentence and place in it of every valid unit of the documents
    inside      which units of the documents are valid
    lengths     [sentences] units of each
    counts      [batch] sentences of each document
    """

    row: Int[Tensor, "units"]
    place: Int[Tensor, "units"]
    inside: Bool[Tensor, "batch time"]
    lengths: Int[Tensor, "sentences"]
    counts: Int[Tensor, "batch"]

    @classmethod
    def of(cls, numbers: Int[Tensor, "batch time"], lengths: Int[Tensor, "batch"]) -> Sentences:
        """From the number of the sentence that every unit stands in: 0, then the same or one more."""
        inside = padding_mask(lengths.to(numbers.device), numbers.shape[1])
        counts = (numbers.masked_fill(~inside, -1).amax(1) if numbers.shape[1] else lengths * 0 - 1) + 1
        row = (numbers + (counts.cumsum(0) - counts)[:, None])[inside]
        of_each = torch.bincount(row, minlength=int(counts.sum()))
        place = torch.arange(len(row), device=row.device) - (of_each.cumsum(0) - of_each)[row]
        return cls(row, place, inside, of_each, counts)

    def grid(self, units: Float[Tensor, "batch time features"]) -> Float[Tensor, "sentences words features"]:
        """The units of documents, a row per sentence."""
        grid = units.new_zeros(len(self.lengths), int(self.lengths.max()), units.shape[2])
        return grid.index_put((self.row, self.place), units[self.inside])

    def documents(self, vectors: Float[Tensor, "sentences size"]) -> Float[Tensor, "batch most size"]:
        """The vectors of sentences, a row per document."""
        there = padding_mask(self.counts, int(self.counts.max()))
        return vectors.new_zeros(*there.shape, vectors.shape[1]).masked_scatter(there[..., None], vectors)


class SentenceReader(nn.Module):
    """The lower half of a hierarchical network.

        h_it = words(x_it);   s_i = AttentionPool(h_i)

    i numbers the sentences of a document, t the words of a sentence. A stack over s_i and a pooling over its states make
    the upper half, which is a `Labeller`.

    Source: Yang et al., "Hierarchical Attention Networks for Document Classification", 2016, section 2.2, equations 1 to
    7; any cell, one direction or both.
    """

    def __init__(self, features: int, options: Network, width: int) -> None:
        super().__init__()
        self.words = Stack(features, options, width)
        self.attention = AttentionPool(self.words.output_width)
        self.drop = Dropout(options.dropout)

    def forward(
        self, units: Float[Tensor, "batch time features"], sentences: Sentences
    ) -> tuple[Float[Tensor, "batch most size"], Float[Tensor, "batch time"]]:
        """Vectors of the sentences of every document, and how much every unit counts in its sentence."""
        if not len(sentences.lengths):
            return units.new_zeros(len(units), 0, self.words.output_width), units.new_zeros(units.shape[:2])
        h, _ = self.words(sentences.grid(units), sentences.lengths)
        vectors, weights = self.attention(h, sentences.lengths)
        of_units = weights.new_zeros(units.shape[:2])
        of_units = of_units.masked_scatter(sentences.inside, weights[sentences.row, sentences.place])
        return sentences.documents(self.drop(vectors)), of_units
