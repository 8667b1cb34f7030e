"""Attention of every step on the steps before it, for whole sequences and one step at a time: its past is a state."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.network.attention import AttentionPool, CausalAttention
from saiki.network.packing import checked_lengths
from saiki.sequence import padding_mask
from saiki.shapes import Float, Int

#: scores of pooling are kept in ± this: a weight of e^-80 beside another is none
HIGHEST = 40.0


class PoolState(NamedTuple):
    total: Tensor  # [batch, size], weighted sum of the steps so far
    weight: Tensor  # [batch, 1], sum of their weights


class PastState(NamedTuple):
    past: Tensor  # [batch, lookback, size], the latest steps, the last one last
    seen: Tensor  # [batch, 1], how many of them there are


class PastAttention(nn.Module):
    """What goes up from a stack: every step's own past, weighted.

        pool      output_t = Σ_j weights_j h_j over all j ≤ t     (`AttentionPool`; at the last step, of the sequence)
        causal    the present state and a mean of up to `lookback` earlier ones     (`CausalAttention`)

    Both are causal: a stream keeps two sums per row, or `lookback` states.
    """

    def __init__(self, kind: str, size: int, lookback: int) -> None:
        super().__init__()
        self.kind, self.size, self.lookback = kind, size, lookback
        self.layer = AttentionPool(size) if kind == "pool" else CausalAttention(size, lookback=lookback)

    def initial_state(self, batch: int) -> Any:
        zeros = next(self.layer.parameters()).new_zeros
        if self.kind == "pool":
            return PoolState(zeros(batch, self.size), zeros(batch, 1))
        return PastState(zeros(batch, self.lookback, self.size), zeros(batch, 1))

    def forward(
        self, h: Float[Tensor, "batch time size"], lengths: Int[Tensor, "batch"] | None, state: Any
    ) -> tuple[Float[Tensor, "batch time size"], Any]:
        """Outputs, zero in the padding, and the state after each row's last valid step."""
        batch, time = h.shape[:2]
        lengths = None if lengths is None else checked_lengths(lengths, batch, time)
        lengths = (torch.full((batch,), time) if lengths is None else lengths).to(h.device)
        inside = padding_mask(lengths, time)[..., None]
        h = h.masked_fill(~inside, 0)
        if isinstance(self.layer, AttentionPool):
            return _pooled(self.layer, h, inside, state)
        return self._attended(self.layer, h, lengths, inside, state)

    def weights(self, h: Float[Tensor, "batch time size"], lengths: Int[Tensor, "batch"] | None = None) -> Tensor:
        """How much every step counts: `[batch, time]` for pool, `[batch, time, earlier]` for causal. For plots."""
        return self.layer(h, lengths)[1]

    def _attended(
        self, layer: CausalAttention, h: Tensor, lengths: Tensor, inside: Tensor, state: PastState
    ) -> tuple[Tensor, PastState]:
        steps, before = torch.arange(h.shape[1], device=h.device), self.lookback
        memory = torch.cat([state.past, h], 1)  # step t stands at place before + t
        places = torch.arange(memory.shape[1], device=h.device)
        ago = before + steps[:, None] - places  # [time, places]
        there = (places >= before) | (places >= before - state.seen)  # [batch, places]
        seen = ((ago >= 0) & (ago <= before)) & there[:, None] & inside
        keys = layer.key(memory)
        scores = layer.query(h) @ keys.transpose(1, 2) / math.sqrt(keys.shape[2])
        weights = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1) * seen
        output = torch.tanh(layer.out(torch.cat([h, weights @ memory], -1))) * inside
        kept = (lengths[:, None] + torch.arange(before, device=h.device))[..., None].expand(-1, -1, self.size)
        count = (state.seen + lengths[:, None]).clamp(max=before)
        return output, PastState(memory.gather(1, kept), count)


def _pooled(layer: AttentionPool, h: Tensor, inside: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
    """Sums of weights and of weighted steps, running; scores are bounded, so that no maximum must be known."""
    scores = layer.score(torch.tanh(layer.see(h))).clamp(-HIGHEST, HIGHEST)  # [batch, time, 1]
    weight = scores.exp() * inside
    total = torch.cat([state.total[:, None], weight * h], 1).cumsum(1)
    summed = torch.cat([state.weight[:, None], weight], 1).cumsum(1)
    output = total[:, 1:] / summed[:, 1:].clamp_min(torch.finfo(h.dtype).tiny)
    return output * inside, PoolState(total[:, -1], summed[:, -1])
