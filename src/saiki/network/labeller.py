"""One answer per sequence: a stack of recurrent layers, its states pooled over time, a linear map; one or several such networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saiki.errors import OptionError
from saiki.network.attention import AttentionPool
from saiki.network.dropout import Dropout
from saiki.network.options import Network
from saiki.network.stack import Stack
from saiki.sequence import padding_mask
from saiki.shapes import Float

POOLS = ("last", "mean", "max", "attention")


@dataclass(frozen=True)
class LabelPlan:
    """The sizes of a labelling network.

    features  numbers per step;  static  numbers per series;  outputs  numbers per answer
    patch     steps that enter the recurrence together, as one token
    pooling   how the states of all steps become one vector; several stand side by side
    members   networks whose answers are averaged
    apart     whether every output is a question of its own (yes or no), not one of several classes
    """

    features: int
    static: int
    outputs: int
    patch: int
    pooling: tuple[str, ...]
    members: int
    apart: bool = False


class Labeller(nn.Module):
    """Scores of a sequence.

        h = stack(patches of x);   v = [pool_1(h), …, static];   y = W drop(v) + b

    pool is the mean or the largest over valid steps, a weighted mean (see `AttentionPool`), or the output of the last step,
    where a backward direction wrote it that of the first. A sequence of length 0 pools to zeros.

    closed_form  whether W and b are found in closed form, from fixed reservoirs: in double precision
    """

    def __init__(self, plan: LabelPlan, options: Network, width: int, closed_form: bool = False) -> None:
        super().__init__()
        self.plan = plan
        self.closed_form, self.washout = closed_form, options.washout or 0
        if self.closed_form and "attention" in plan.pooling:
            raise OptionError("pooling attention has weights to be learned; echo_state takes any of last, mean, max")
        self.stack = Stack(plan.features * plan.patch, options, width)
        size = self.stack.output_width
        self.attention = AttentionPool(size) if "attention" in plan.pooling else None
        self.drop = Dropout(options.dropout)
        self.head = nn.Linear(size * len(plan.pooling) + plan.static, plan.outputs)
        if self.closed_form:
            self.double()

    def forward(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch outputs"]:
        """From values `[batch, time, features]`, lengths, static, and gap and observed where the data have them."""
        return self.head(self.drop(self.pooled(batch)))

    def pooled(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch columns"]:
        """What the last layer reads."""
        x, lengths = self._patches(batch["values"], batch["lengths"])
        given = {name: batch[name] for name in ("gap", "observed") if name in batch and self.plan.patch == 1}
        h, _ = self.stack(x.to(self.head.weight.dtype), lengths, **given)
        pooled = [self._pool(kind, h, lengths) for kind in self.plan.pooling]
        return torch.cat([*pooled, batch["static"].to(h.dtype)], 1)

    @torch.no_grad()
    def take(
        self, weight: Float[Tensor, "columns outputs"], intercept: Float[Tensor, "outputs"], errors: Tensor
    ) -> None:
        """The readout that was found in closed form."""
        self.head.weight.copy_(weight.T)
        self.head.bias.copy_(intercept)

    def looks(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch time"]:
        """How much attention gives to every step, or patch of steps; zero in the padding."""
        assert self.attention is not None, "not pooled by attention"
        x, lengths = self._patches(batch["values"], batch["lengths"])
        given = {name: batch[name] for name in ("gap", "observed") if name in batch and self.plan.patch == 1}
        return self.attention(self.stack(x.to(self.head.weight.dtype), lengths, **given)[0], lengths)[1]

    def _patches(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        patch = self.plan.patch
        if patch == 1:
            return x, lengths
        x = nn.functional.pad(x, (0, 0, 0, -x.shape[1] % patch))
        return x.reshape(len(x), x.shape[1] // patch, -1), -(-lengths // patch)

    def _pool(self, kind: str, h: Tensor, lengths: Tensor) -> Tensor:
        if h.shape[1] == 0:
            return h.new_zeros(len(h), h.shape[2])
        if kind == "attention":
            assert self.attention is not None
            return self.attention(h, lengths)[0]
        inside = self._washed(padding_mask(lengths.to(h.device), h.shape[1]), lengths.to(h.device))[..., None]
        if kind == "mean":
            return (h * inside).sum(1) / inside.sum(1).clamp_min(1)
        if kind == "max":
            least = h.masked_fill(~inside, torch.finfo(h.dtype).min).amax(1)
            return torch.where((lengths > 0).to(h.device)[:, None], least, 0)
        rows = torch.arange(len(h), device=h.device)
        last = h[rows, lengths.to(h.device).clamp_min(1) - 1]
        last = torch.where(self.stack.backward, h[:, 0], last)
        return torch.where((lengths > 0).to(h.device)[:, None], last, 0)

    def _washed(self, inside: Tensor, lengths: Tensor) -> Tensor:
        """The valid tokens less the first ones, and with two directions the last ones, where any is left."""
        place = torch.arange(inside.shape[1], device=inside.device)
        end = lengths[:, None] - (self.washout if self.stack.directions == 2 else 0)
        kept = inside & (place >= self.washout) & (place < end)
        return torch.where(kept.any(1, keepdim=True), kept, inside)


class Labellers(nn.Module):
    """Several labelling networks; a temperature divides the mean of their scores, and is fitted after training."""

    temperature: Tensor
    thresholds: Tensor

    def __init__(self, plan: LabelPlan, options: Network, width: int) -> None:
        super().__init__()
        self.closed_form, self.ridge = options.closed_form, options.ridge
        self.members = nn.ModuleList(Labeller(plan, options, width, self.closed_form) for _ in range(plan.members))
        self._fitted(plan)

    def _fitted(self, plan: LabelPlan) -> None:
        """What is fitted after training: the temperature; where outputs stand apart, from which probability on each is given."""
        self.apart = plan.apart
        self.register_buffer("temperature", torch.ones(()))
        if plan.apart:
            self.register_buffer("thresholds", torch.full((plan.outputs,), 0.5))

    def forward(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch outputs"]:
        """The mean of the members' scores: of logarithms of probabilities, where scores are logits of classes."""
        return self.together([member(batch) for member in self.members])

    def together(self, scores: list[Tensor]) -> Float[Tensor, "batch outputs"]:
        """The mean of the scores of all members."""
        if scores[0].shape[1] > 1 and not self.apart:
            scores = [s.log_softmax(-1) for s in scores]
        return torch.stack(scores).mean(0) / self.temperature
