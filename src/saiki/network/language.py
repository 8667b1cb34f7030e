"""A language model: after every unit, the scores of the unit that comes next."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.network.dropout import Dropout
from saiki.network.embedding import Embedding
from saiki.network.grams import Grams
from saiki.network.options import Network
from saiki.network.stack import Stack, States
from saiki.network.surprise import mean_surprise, sampled
from saiki.shapes import Float, Int

#: shares of the vocabulary at which adaptive softmax cuts it: frequent, rarer, rarest units
CUTS = (0.08, 0.35)
#: units that a sampled softmax scores in every step of training: the first ones, and as many drawn from the others
FREQUENT, DRAWN = 2000, 1000
#: spread of the first vectors of groups of units
GROUPS_SPREAD = 0.01
#: and of the first weights by which they act on the outputs
BESIDE_SPREAD = 0.02


class Sizes(NamedTuple):
    """What a language model is made of beside its stack."""

    units: int
    embedding: int
    tied: bool = False  # the vectors of the units are the weights of their scores
    adaptive: bool = False  # rare units share few numbers; units must be numbered by how frequent they are
    sampled: bool = (
        False  # training scores the first units and some of the others; units must be numbered as for adaptive
    )
    embedding_dropout: float = 0.0
    input_dropout: float = 0.0
    output_dropout: float = 0.0
    activation: float = 0.0  # α: weight of the mean square of the dropped outputs
    change: float = 0.0  # β: weight of the mean square of the outputs' change from step to step
    longest: int = 1  # units of the longest groups that have vectors of their own
    groups: int = 0  # how many have one
    group_dropout: float = 0.0  # share of the places without them in training


class LanguageModel(nn.Module):
    """p(u_{t+1} | u_1 … u_t), from the state of a stack of recurrent layers.

        e_t = drop(E[u_t]) + Σ_k G[u_{t-k+1} … u_t];   h_t, s_t = stack(e_t, s_{t-1}) (+ B e_t)
        scores_t = W drop(h_t) + b                     tied: W = E, after a linear map where h is not as wide as E
        loss = mean -log softmax(scores_t)[u_{t+1}] + α mean drop(h_t)² + β mean (h_t - h_{t-1})²

    G, the vectors of groups of units, is there if `groups` is above 0, and with it B, by which groups tell of the next unit
    themselves.

    Source: groups that act on the scores: Mikolov et al. 2011, "Strategies for training large scale neural network language
    models", section 4, there by weights of a maximum entropy model; tied weights: Press and Wolf 2017 (arXiv 1608.05859); α
    and β, and which dropout stands where: Merity et al. 2018 (arXiv 1708.02182), section 4; adaptive softmax: Grave et al.
    2017 (arXiv 1609.04309), as in torch.nn.
    """

    def __init__(self, sizes: Sizes, options: Network, width: int) -> None:
        super().__init__()
        self.sizes = sizes
        # vectors that make scores too must be short, others must be heard beside the recurrent state
        spread = None if sizes.tied else 1.0
        self.embedding = Embedding(sizes.units, sizes.embedding, sizes.embedding_dropout, sizes.input_dropout, spread)
        self.stack = Stack(sizes.embedding, options, width)
        out = self.stack.output_width
        self.grams = self.beside = None
        if sizes.groups:
            self.grams = Grams(sizes.units, sizes.longest, sizes.groups, sizes.embedding, GROUPS_SPREAD)
            self.beside = nn.Linear(sizes.embedding, out, bias=False)
            nn.init.normal_(self.beside.weight, std=BESIDE_SPREAD)
        self.drop = Dropout(sizes.output_dropout)
        self.locked = options.locked
        if sizes.adaptive:
            cuts = sorted({max(1, int(share * sizes.units)) for share in CUTS})
            self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(out, sizes.units, cuts)
            return
        self.narrow = nn.Linear(out, sizes.embedding) if sizes.tied and out != sizes.embedding else nn.Identity()
        self.weight = None if sizes.tied else nn.Parameter(torch.empty(sizes.units, out))
        self.bias = nn.Parameter(torch.zeros(sizes.units))
        if self.weight is not None:
            nn.init.uniform_(self.weight, -(out**-0.5), out**-0.5)

    def initial_state(self, batch: int) -> States:
        """Of the stack; where groups of units have vectors, the units before the first behind it."""
        states = self.stack.initial_state(batch)
        return states if self.grams is None else [*states, [self.grams.initial_state(batch)]]

    def enter(self, tokens: Int[Tensor, "batch time"], states: States) -> tuple[Tensor, States, States]:
        """What the stack reads, its states, and what stands behind them afterwards."""
        x = self.embedding(tokens)
        if self.grams is None:
            return x, states, []
        more, recent = self.grams(tokens, states[-1][0])
        if self.training and self.sizes.group_dropout:
            more = more * nn.functional.dropout(more.new_ones(*tokens.shape, 1), self.sizes.group_dropout)
        return x + more, states[:-1], [[recent]]

    def leave(self, h: Float[Tensor, "*steps width"], x: Float[Tensor, "*steps embedding"]) -> Tensor:
        """What scores are made of: outputs of the stack, and what it read beside them."""
        if self.beside is None:
            return h
        return torch.addmv(h, self.beside.weight, x) if h.ndim == 1 else h + self.beside(x)

    def forward(
        self,
        tokens: Int[Tensor, "batch time"],
        states: States | None = None,
    ) -> tuple[Float[Tensor, "batch time width"], States]:
        """What scores are made of after each unit, and the states after the last."""
        x, states, behind = self.enter(tokens, self.initial_state(len(tokens)) if states is None else states)
        h, after = self.stack(x, None, states)
        return self.leave(h, x), [*after, *behind]

    def loss(self, tokens: Tensor, following: Tensor, states: States | None) -> tuple[Tensor, States]:
        """What training lowers, and the states after the last unit."""
        h, after = self(tokens, states)
        dropped = self._dropped(h)
        loss = self._mean_surprise(dropped, following)
        if self.training and self.sizes.activation:
            loss = loss + self.sizes.activation * dropped.square().mean()
        if self.training and self.sizes.change and h.shape[1] > 1:
            loss = loss + self.sizes.change * (h[:, 1:] - h[:, :-1]).square().mean()
        return loss, after

    def _dropped(self, h: Tensor) -> Tensor:
        if not (self.training and self.locked):
            return self.drop(h)
        return h * self.drop(h.new_ones(len(h), 1, h.shape[2]))

    def _mean_surprise(self, h: Tensor, following: Tensor) -> Tensor:
        if self.sizes.adaptive:
            return self.surprise(h, following).mean()
        weight, bias, following = self._weight, self.bias, following.flatten()
        if self.training and self.sizes.sampled:
            weight, bias, following = sampled(weight, bias, following, FREQUENT, DRAWN)
        return mean_surprise(self.narrow(h).flatten(0, 1), weight, bias, following)

    @property
    def _weight(self) -> Tensor:
        """What scores are made with: of tied weights the vectors of the units."""
        return self.embedding.table.weight if self.weight is None else self.weight

    def scores(self, h: Float[Tensor, "*steps width"]) -> Float[Tensor, "*steps units"]:
        """Scores of every unit, before the softmax."""
        if h.ndim == 1:  # one step: fewer calls, which cost more than their work
            return torch.addmv(self.bias, self._weight, self.narrow(h))
        return nn.functional.linear(self.narrow(h), self._weight, self.bias)

    def surprise(self, h: Float[Tensor, "*steps width"], following: Int[Tensor, "*steps"]) -> Float[Tensor, "steps"]:
        """-log p of the units that follow, in nats, one after the other."""
        h, following = h.reshape(-1, h.shape[-1]), following.reshape(-1)
        if self.sizes.adaptive:
            return -self.adaptive(h, following).output
        return nn.functional.cross_entropy(self.scores(h), following, reduction="none")

    def logarithms(self, h: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch units"]:
        """log p of every unit."""
        if self.sizes.adaptive:
            return self.adaptive.log_prob(h) if h.ndim == 2 else self.adaptive.log_prob(h[None])[0]
        return torch.log_softmax(self.scores(h), -1)

    def step(self, tokens: Int[Tensor, "batch"], states: States) -> tuple[Float[Tensor, "batch units"], States]:
        """log p of every next unit after one more unit of every row."""
        x, states, behind = self.enter(tokens[:, None], states)
        h, after = self.stack.step(x[:, 0], states)
        return self.logarithms(self.leave(h, x[:, 0])), [*after, *behind]
