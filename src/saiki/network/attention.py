"""Attention: a weighted mean of states, with weights that the states decide."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.errors import DataError, OptionError
from saiki.network.packing import as_lengths, checked_lengths
from saiki.sequence import padding_mask
from saiki.shapes import Bool, Float, Int

KINDS = ("additive", "dot", "general")


class Memory(NamedTuple):
    """A memory as attention reads it, one row per sequence."""

    keys: Float[Tensor, "batch time numbers"]
    values: Float[Tensor, "batch time memory_size"]
    inside: Bool[Tensor, "batch time"]  # which steps are valid


class Attention(nn.Module):
    """Attention of a sequence of queries on a memory.

        score(q, m) = vᵀ tanh(W_q q + W_m m + b)          additive
        score(q, m) = qᵀ m                                 dot: queries and memory equally wide
        score(q, m) = qᵀ W_m m                             general
        weights = softmax over the valid steps of the memory,   context = Σ weights · m

    A memory without a valid step gives a context of zeros.

    Args:
        query_size, memory_size: numbers per step.
        width: units of the additive score; by default `query_size`.

    Source: additive: Bahdanau et al. 2014 (arXiv 1409.0473), appendix A.1.2; dot and general: Luong et al. 2015 (arXiv
    1508.04025), equation 8, global attention.
    """

    def __init__(self, query_size: int, memory_size: int, kind: str = "additive", width: int | None = None) -> None:
        if kind not in KINDS:
            raise OptionError(f"kind: got {kind!r}; expected {', '.join(KINDS)}")
        if kind == "dot" and query_size != memory_size:
            raise OptionError(
                f"kind: got 'dot' for queries of {query_size} and a memory of {memory_size} numbers; "
                "expected as many of both (or kind 'general')"
            )
        _check_width(width)
        if width is not None and kind != "additive":
            raise OptionError(f"width: got {width} for the kind {kind!r}; only additive attention has units of its own")
        super().__init__()
        self.kind, units = kind, width or query_size
        self.query_size, self.memory_size = query_size, memory_size
        self.query = self.memory = self.score = None
        if kind == "additive":
            self.query = nn.Linear(query_size, units, bias=False)
            self.memory = nn.Linear(memory_size, units)
            self.score = nn.Linear(units, 1, bias=False)
        elif kind == "general":
            self.memory = nn.Linear(memory_size, query_size, bias=False)

    def forward(
        self,
        queries: Float[Tensor, "batch queries query_size"],
        memory: Float[Tensor, "batch time memory_size"],
        lengths: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries memory_size"], Float[Tensor, "batch queries time"]]:
        """The contexts and their weights, zero in the padding of the memory, whatever stands there."""
        return self.attend(queries, self.remember(memory, lengths))

    def remember(self, memory: Float[Tensor, "batch time memory_size"], lengths: Tensor | None = None) -> Memory:
        """What is computed once per memory, however many queries come, one after the other."""
        _check("memory", memory, self.memory_size)
        inside = _inside(lengths, memory)
        memory = memory.masked_fill(~inside[..., None], 0)  # NaN in the padding times a weight of 0 would stay
        return Memory(memory if self.memory is None else self.memory(memory), memory, inside)

    def attend(
        self, queries: Float[Tensor, "batch queries query_size"], memory: Memory, bias: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch queries memory_size"], Float[Tensor, "batch queries time"]]:
        """`forward` on a memory that is remembered; `bias` is added to the scores."""
        _check("queries", queries, self.query_size)
        keys, values, inside = memory
        if len(queries) != len(values):
            raise DataError(f"memory: got {len(values)} rows for queries of {len(queries)}; expected as many of both")
        if self.query is None or self.score is None:
            scores = queries @ keys.transpose(1, 2)
        else:
            scores = self.score(torch.tanh(self.query(queries)[:, :, None] + keys[:, None])).squeeze(-1)
        weights = _softmax(scores if bias is None else scores + bias, inside[:, None])
        return weights @ values, weights

    def extra_repr(self) -> str:
        return self.kind


class AttentionPool(nn.Module):
    """One vector for a sequence of any length: its steps weighted by how much they say.

        weights = softmax_t(vᵀ tanh(W h_t + b)),   pooled = Σ_t weights_t h_t

    A sequence of length 0 gives zeros.

    Source: Yang et al., "Hierarchical Attention Networks for Document Classification", 2016, equations 5 to 7.
    """

    def __init__(self, size: int, width: int | None = None) -> None:
        super().__init__()
        _check_width(width)
        self.see, self.score = nn.Linear(size, width or size), nn.Linear(width or size, 1, bias=False)

    def forward(
        self, h: Float[Tensor, "batch time size"], lengths: Int[Tensor, "batch"] | None = None
    ) -> tuple[Float[Tensor, "batch size"], Float[Tensor, "batch time"]]:
        """The pooled vectors and the weights of the steps, zero in the padding."""
        _check("h", h, self.see.in_features)
        inside = _inside(lengths, h)
        h = h.masked_fill(~inside[..., None], 0)
        weights = _softmax(self.score(torch.tanh(self.see(h))).squeeze(-1), inside)
        return (weights[:, None] @ h).squeeze(1), weights


class CausalAttention(nn.Module):
    """Every step attends to itself and the steps before it.

        weights_tj = softmax_j((W_q h_t)ᵀ (W_k h_j) / √width),   j from t - lookback to t
        context_t = Σ_j weights_tj h_j,   output_t = tanh(W [h_t, context_t] + b)

    Args:
        lookback: earlier steps that are seen; None for all. A stream keeps so many states.

    Source: Cheng, Dong and Lapata, "Long Short-Term Memory-Networks for Machine Reading", 2016 (arXiv 1601.06733), for
    attention on one's own past states; scores scaled as in Vaswani et al. 2017 (arXiv 1706.03762), equation 1; output
    as in Luong et al. 2015 (arXiv 1508.04025), equation 5.
    """

    def __init__(self, size: int, width: int | None = None, lookback: int | None = None) -> None:
        _check_width(width)
        if lookback is not None and (type(lookback) is not int or lookback < 0):
            raise OptionError(f"lookback: got {lookback}; expected a number of earlier steps, or None for all")
        super().__init__()
        self.lookback = lookback
        self.query, self.key = (nn.Linear(size, width or size, bias=False) for _ in range(2))
        self.out = nn.Linear(2 * size, size)

    def forward(
        self, h: Float[Tensor, "batch time size"], lengths: Int[Tensor, "batch"] | None = None
    ) -> tuple[Float[Tensor, "batch time size"], Float[Tensor, "batch time earlier"]]:
        """Outputs and weights, both zero in the padding."""
        _check("h", h, self.query.in_features)
        inside = _inside(lengths, h)
        h = h.masked_fill(~inside[..., None], 0)
        steps = torch.arange(h.shape[1], device=h.device)
        ago = steps[:, None] - steps
        seen = (ago >= 0) if self.lookback is None else (ago >= 0) & (ago <= self.lookback)
        keys = self.key(h)
        weights = _softmax(self.query(h) @ keys.transpose(1, 2) / math.sqrt(keys.shape[2]), seen & inside[..., None])
        output = torch.tanh(self.out(torch.cat([h, weights @ h], -1)))
        return output * inside[..., None], weights


def _check(name: str, x: Tensor, size: int) -> None:
    if x.dim() != 3 or x.shape[2] != size:
        raise DataError(f"{name}: got shape {tuple(x.shape)}; expected 3 axes, the last of {size} numbers")


def _check_width(width: Any) -> None:
    if width is not None and (type(width) is not int or width < 1):
        raise OptionError(f"width: got {width!r}; expected a number of units, or None for as many as its input has")


def _inside(lengths: Tensor | None, like: Tensor) -> Bool[Tensor, "batch time"]:
    """Which steps are valid."""
    batch, time = like.shape[:2]
    lengths = None if lengths is None else checked_lengths(as_lengths(lengths), batch, time)
    if lengths is None:
        return torch.ones(batch, time, dtype=torch.bool, device=like.device)
    return padding_mask(lengths.to(like.device), time)


def _softmax(scores: Tensor, inside: Tensor) -> Tensor:
    """Softmax over the last axis of what is inside; all zeros where nothing is."""
    return scores.masked_fill(~inside, torch.finfo(scores.dtype).min).softmax(-1) * inside
