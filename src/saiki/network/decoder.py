"""Decoder: answers token by token, each from those before it and from a memory that it attends to."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.errors import OptionError
from saiki.network.attention import Attention, Memory
from saiki.network.dropout import Dropout
from saiki.network.options import Network
from saiki.network.stack import Stack, States
from saiki.network.surprise import mean_surprise
from saiki.shapes import Float, Int


class DecoderState(NamedTuple):
    """All that a decoder remembers between two tokens; every tensor in it has one row per sequence."""

    first: States  # of the layer that asks
    rest: States  # of the layers that read what was found
    read: Tensor  # the last attentional vector, [batch, embedding]
    covered: Tensor  # attention that every step of the memory has had so far, [batch, time]


class Decoder(nn.Module):
    """One token after the other, with attention on a memory.

        h_t = first(e_t)                                   or, with input feeding,  first([e_t, r_{t-1}])
        c_t = attention(h_t, memory)
        g_t = rest([h_t, c_t])                             layers that know what was found; none: g_t = h_t
        r_t = tanh(W_r [g_t, c_t, e_t] + b_r)              attentional vector
        scores_t = E r_t + b                               E: the embedding of the tokens, tied

    Without input feeding and coverage, all steps of a known answer are computed at once, layer by layer, by the kernels. With
    `coverage`, scores of attention know what was attended to before: score + w · covered. Without `kind` there is no
    attention, c_t is the mean of the memory.

    Source: attention and input feeding: Luong et al. 2015 (arXiv 1508.04025), equation 5 and section 3.3; layers above
    that read the context of the first: Wu et al. 2016 (arXiv 1609.08144), section 3; r_t with e_t: Bahdanau et al. 2014
    (arXiv 1409.0473), deep output; tied embedding: Press and Wolf 2017 (arXiv 1608.05859); coverage: See et al. 2017
    (arXiv 1704.04368), equation 11, one number per step.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        memory_size: int,
        options: Network,
        width: int,
        *,
        kind: str | None = "additive",
        input_feeding: bool = False,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        size = embedding.embedding_dim
        self.embedding, self.size, self.feeding = embedding, size, input_feeding
        one = options.model_copy(
            update={"bidirectional": False, "attention": "none", "cell": options.cells[0], "layers": 1}
        )
        self.first = Stack(size * (2 if input_feeding else 1), one, width)
        asks = self.first.output_width
        if kind == "dot" and asks != memory_size:
            raise OptionError(
                f"--attention dot: got {asks} numbers per step of the answer and {memory_size} of the source; expected as many of "
                "both: give --merge sum or --no-bidirectional, or --attention general"
            )
        self.attention = Attention(asks, memory_size, kind, width if kind == "additive" else None) if kind else None
        self.coverage = nn.Parameter(torch.zeros(1)) if coverage and kind else None
        above = options.layers - 1
        rest = one.model_copy(update={"cell": ",".join(options.cells[1:]), "layers": max(1, above)})
        self.rest = Stack(asks + memory_size, rest, width) if above else None
        top = self.rest.output_width if self.rest else asks
        self.bridge = nn.Linear(memory_size, width)
        self.read = nn.Linear(top + memory_size + size, size)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self.drop = Dropout(options.dropout)

    @property
    def parallel(self) -> bool:
        """Whether a known answer is computed at all its steps at once."""
        return not self.feeding and self.coverage is None

    def remember(self, memory: Float[Tensor, "batch time memory_size"], lengths: Int[Tensor, "batch"]) -> Memory:
        """The memory as `step` and `forward` take it."""
        if self.attention is not None:
            return self.attention.remember(memory, lengths)
        inside = torch.arange(memory.shape[1], device=memory.device) < lengths.to(memory.device)[:, None]
        return Memory(memory, memory.masked_fill(~inside[..., None], 0), inside)

    def initial_state(self, memory: Memory) -> DecoderState:
        """Before the first token: every layer starts from the mean of the memory."""
        start = torch.tanh(self.bridge(_mean(memory)))
        read = start.new_zeros(len(start), self.size)
        rest = self._start(self.rest, start) if self.rest else []
        return DecoderState(self._start(self.first, start), rest, read, memory.inside.to(start.dtype) * 0)

    @staticmethod
    def _start(stack: Stack, start: Tensor) -> States:
        """States whose hidden part is `start`, where the cell has one so wide; the other parts are the cell's own."""

        def begun(state: Any) -> Any:
            fits = hasattr(state, "h") and state.h.shape == start.shape
            return state._replace(h=start) if fits else state

        return [[begun(state) for state in layer] for layer in stack.initial_state(len(start))]

    def step(
        self, tokens: Int[Tensor, "batch"], state: DecoderState, memory: Memory
    ) -> tuple[Float[Tensor, "batch tokens"], DecoderState]:
        """Scores of the next token after `tokens`, and the state after them."""
        state = self._advance(tokens, state, memory)
        return self._scores(state.read), state

    def _advance(self, tokens: Tensor, state: DecoderState, memory: Memory) -> DecoderState:
        embedded = self.drop(self.embedding(tokens))
        h, first = self.first.step(torch.cat([embedded, state.read], 1) if self.feeding else embedded, state.first)
        context, weights = self._attend(h[:, None], memory, state.covered)
        context, g, rest = context[:, 0], h, state.rest
        if self.rest is not None:
            g, rest = self.rest.step(torch.cat([h, context], 1), state.rest)
        read = self._read(g, context, embedded)
        return DecoderState(first, rest, read, state.covered + weights[:, 0])

    def forward(
        self, tokens: Int[Tensor, "batch time"], lengths: Int[Tensor, "batch"], memory: Memory
    ) -> Float[Tensor, "steps tokens"]:
        """Scores after each of the given tokens (teacher forcing), for the valid steps alone, row by row."""
        return self._scores(self._reads(tokens, lengths, memory))

    def surprise(
        self,
        tokens: Int[Tensor, "batch time"],
        lengths: Int[Tensor, "batch"],
        memory: Memory,
        following: Int[Tensor, "steps"],
        smoothing: float = 0.0,
    ) -> Float[Tensor, ""]:
        """The mean cross-entropy of what follows the valid ones of the given tokens; all scores are never kept."""
        reads = self.drop(self._reads(tokens, lengths, memory))
        return mean_surprise(reads, self.embedding.weight, self.bias, following, smoothing)

    def _reads(self, tokens: Tensor, lengths: Tensor, memory: Memory) -> Float[Tensor, "steps embedding"]:
        """Attentional vectors after each of the given tokens, of the valid steps, row by row."""
        inside = torch.arange(tokens.shape[1], device=tokens.device) < lengths.to(tokens.device)[:, None]
        state = self.initial_state(memory)
        if not self.parallel:
            return self._one_by_one(tokens, state, memory)[0][inside]
        embedded = self.drop(self.embedding(tokens))
        h, _ = self.first(embedded, lengths, state.first)
        context, _ = self._attend(h, memory, state.covered)
        g = self.rest(torch.cat([h, context], 2), lengths, state.rest)[0] if self.rest else h
        return self._read(g[inside], context[inside], embedded[inside])

    def weights(
        self, tokens: Int[Tensor, "batch time"], lengths: Int[Tensor, "batch"], memory: Memory
    ) -> Float[Tensor, "batch time memory_time"]:
        """The attention after each of the given tokens: where the next one was read from."""
        state = self.initial_state(memory)
        if not self.parallel:
            return self._one_by_one(tokens, state, memory)[1]
        h, _ = self.first(self.drop(self.embedding(tokens)), lengths, state.first)
        return self._attend(h, memory, state.covered)[1]

    def _one_by_one(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attentional vectors and weights, `[batch, time, …]`, of tokens that are fed one after the other."""
        reads, weights = [], []
        for t in range(tokens.shape[1]):
            before = state.covered
            state = self._advance(tokens[:, t], state, memory)
            reads.append(state.read)
            weights.append(state.covered - before)
        if not reads:
            return state.read[:, None][:, :0], state.covered[:, None][:, :0]
        return torch.stack(reads, 1), torch.stack(weights, 1)

    def _attend(self, h: Tensor, memory: Memory, covered: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts and weights of `h [batch, queries, size]`."""
        if self.attention is None:
            share = memory.inside / memory.inside.sum(1, keepdim=True).clamp_min(1)
            weights = share[:, None].expand(-1, h.shape[1], -1).to(h.dtype)
            return weights @ memory.values, weights
        bias = None if self.coverage is None else (self.coverage * covered)[:, None]
        return self.attention.attend(h, memory, bias)

    def _read(self, g: Tensor, context: Tensor, embedded: Tensor) -> Tensor:
        return torch.tanh(self.read(torch.cat([self.drop(g), context, embedded], -1)))

    def _scores(self, read: Tensor) -> Tensor:
        return nn.functional.linear(self.drop(read), self.embedding.weight, self.bias)


def _mean(memory: Memory) -> Tensor:
    """The mean over the valid steps of the memory; zeros where there are none."""
    return memory.values.sum(1) / memory.inside.sum(1, keepdim=True).clamp_min(1)


class Translator(nn.Module):
    """Encoder and decoder: a sequence of tokens in, a sequence of tokens out.

    The encoder is a stack of recurrent layers over embedded tokens, by default in both directions; its outputs are the memory.
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        options: Network,
        width: int,
        embedding: int,
        **decoder: Any,
    ) -> None:
        super().__init__()
        self.source, target = nn.Embedding(source_tokens, embedding), nn.Embedding(target_tokens, embedding)
        for table in (self.source, target):
            nn.init.normal_(table.weight, std=embedding**-0.5)
        self.drop = Dropout(options.dropout)
        self.encoder = Stack(embedding, options.model_copy(update={"attention": "none"}), width)
        self.decoder = Decoder(target, self.encoder.output_width, options, width, **decoder)

    def encode(self, source: Int[Tensor, "batch time"], lengths: Int[Tensor, "batch"]) -> Memory:
        """The memory that the decoder attends to."""
        outputs, _ = self.encoder(self.drop(self.source(source)), lengths)
        return self.decoder.remember(self.drop(outputs), lengths)

    def forward(
        self,
        source: Int[Tensor, "batch time"],
        source_lengths: Int[Tensor, "batch"],
        target: Int[Tensor, "batch target_time"],
        target_lengths: Int[Tensor, "batch"],
    ) -> Float[Tensor, "steps tokens"]:
        """Scores after each token of the given answers, for the valid steps alone, row by row."""
        return self.decoder(target, target_lengths, self.encode(source, source_lengths))
