"""Vectors of the last units together, beside the vector of the last one: what a network need not find out by itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from saiki.shapes import Float, Int


class Recent(NamedTuple):
    """The units before the next one, the latest last; what stands before the beginning of a text is `units` (see `Grams`)."""

    units: Int[Tensor, "batch history"]


class Grams(nn.Module):
    """For every place of a text the sum of the vectors of the groups of units that end there.

        x_t = Σ_{k = 2 … longest} G[u_{t-k+1} … u_t]         zero for groups that have no vector

    Args:
        units: how many units there are; longest: units of the longest groups.
        rows: groups that have a vector; width: numbers of each; spread: of the first ones.

    `keys` says which groups those are (see `saiki.data.ngrams`); it is saved with the weights.

    Source: the hash n-gram embeddings of Pagnoni et al. 2024 (arXiv 2412.09871), section 3.2.1, but with a vector of their own
    for the groups that a text has often, and none for the others, instead of hashing.
    """

    keys: Tensor
    _powers: Tensor

    def __init__(self, units: int, longest: int, rows: int, width: int, spread: float) -> None:
        super().__init__()
        self.nothing, self.base, self.longest = units, units + 2, longest
        self.table = nn.EmbeddingBag(rows + 1, width, mode="sum", padding_idx=rows)
        nn.init.normal_(self.table.weight, std=spread)
        with torch.no_grad():
            self.table.weight[rows] = 0
        self.register_buffer("keys", torch.full((rows,), torch.iinfo(torch.int64).max))
        self.register_buffer("_powers", self.base ** torch.arange(longest), persistent=False)

    def initial_state(self, batch: int) -> Recent:
        return Recent(torch.full((batch, self.longest - 1), self.nothing, device=self.keys.device))

    def forward(
        self, tokens: Int[Tensor, "batch time"], recent: Recent
    ) -> tuple[Float[Tensor, "batch time width"], Recent]:
        """The sums after every unit, and the units that the next ones need."""
        every = torch.cat([recent.units, tokens], 1)
        x = self.table(self._rows(every).flatten(0, 1)).unflatten(0, tokens.shape)
        return x, Recent(every[:, every.shape[1] - self.longest + 1 :])

    def _rows(self, every: Tensor) -> Int[Tensor, "batch time lengths"]:
        """The vector of every group that ends at a place; the last one, zero, for groups without one."""
        windows = (every + 1).unfold(1, self.longest, 1).flip(2)  # the latest unit first
        wanted = (windows * self._powers).cumsum(2)[:, :, 1:].contiguous()
        if not len(self.keys):
            return torch.zeros_like(wanted)
        place = torch.searchsorted(self.keys, wanted).clamp_(max=len(self.keys) - 1)
        return torch.where(self.keys[place] == wanted, place, len(self.keys))


class GramSteps:
    """What `Grams` gives for one text, unit by unit, at a fifth of what a call of it costs: for writing.

    The vectors are those of the moment in which this is made, on the CPU. `state` is as that of `Grams`.
    """

    def __init__(self, grams: Grams) -> None:
        # a last key that no group has, so that every place is one
        self._base, self._keys = grams.base, np.append(grams.keys.numpy(), np.iinfo(np.int64).max)
        self._vectors, self._units = grams.table.weight.detach().numpy(), [grams.nothing] * (grams.longest - 1)

    def push(self, unit: int) -> Float[Tensor, "width"]:
        """The sum after one more unit."""
        key, power, wanted = unit + 1, 1, []
        for earlier in reversed(self._units):
            power *= self._base
            key += power * (earlier + 1)
            wanted.append(key)
        self._units = [*self._units[1:], unit]
        keys = np.array(wanted, np.int64)
        places = self._keys.searchsorted(keys)
        return torch.from_numpy(self._vectors[places[self._keys[places] == keys]].sum(0))

    @property
    def state(self) -> Recent:
        return Recent(torch.tensor([self._units]))

    @state.setter
    def state(self, recent: Recent) -> None:
        self._units = recent.units[0].tolist()
