"""GRU-D: a gated recurrent unit for series with missing values, which knows how long ago each was seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import RecurrentCell
from saiki.shapes import Float, Int


class GRUDState(NamedTuple):
    h: Tensor  # [batch, width]
    last: Tensor  # [batch, features], the last observed values
    since: Tensor  # [batch, features], time from the last observation to the last step


class GRUD(RecurrentCell):
    """Gated recurrent unit with decay, for values that may be missing.

        δ_t = gap_t + since_{t-1}                                     time since each feature was observed
        γ_t = exp(-max(0, w_x ∘ δ_t + b_x)),   Γ_t = exp(-max(0, W_γ δ_t + b_γ))
        x̂_t = m_t ∘ x_t + (1 - m_t) ∘ (γ_t ∘ last + (1 - γ_t) ∘ usual)
        h' = Γ_t ∘ h_{t-1}
        r_t, z_t = σ(W_ih [x̂_t, m_t] + b_ih + W_hh h')               rows r, z
        n_t = tanh(W_ih [x̂_t, m_t] + b_ih + W_hh (r_t ∘ h'))         rows n
        h_t = (1 - z_t) ∘ h' + z_t ∘ n_t

    m is `observed`: 1, or 0 where x is missing (x may be NaN there). `gap` is the time since the step before, in any unit.
    Rows of the weights in the order r, z, n. `inside` are the options of `RecurrentCell`; zoneout acts on h.

    Source: Che et al., "Recurrent Neural Networks for Multivariate Time Series with Missing Values", 2018 (arXiv
    1606.01865), equations 9 to 17. There `usual` is the mean of the training data; here it is learned, from 0.
    """

    needs = frozenset({"gap", "observed"})

    def __init__(self, features: int, width: int, **inside: Any) -> None:
        super().__init__()
        self.features, self.width, self.output_width = features, width, width
        self.weight_ih = nn.Parameter(torch.empty(3 * width, 2 * features))
        self.bias_ih = nn.Parameter(torch.empty(3 * width))
        self.weight_hh = nn.Parameter(torch.empty(3 * width, width))
        self.weight_decay_x = nn.Parameter(torch.empty(features))
        self.bias_decay_x = nn.Parameter(torch.empty(features))
        self.weight_decay_h = nn.Parameter(torch.empty(width, features))
        self.bias_decay_h = nn.Parameter(torch.empty(width))
        self.usual = nn.Parameter(torch.empty(features))
        self.act_inside(**inside)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√width; the decays' slopes are not negative, so that they decay from the start; usual 0, gains 1."""
        bound = 1 / max(self.width, 1) ** 0.5
        for name, parameter in self.named_parameters():
            nn.init.uniform_(parameter, 0.0 if name.startswith("weight_decay") else -bound, bound)
        nn.init.zeros_(self.usual)
        for name, parameter in self.named_parameters():
            if name.startswith("gain"):
                nn.init.ones_(parameter)

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        observed = given["observed"].to(x.dtype).expand_as(x)
        x = torch.where(observed == 0, 0, x)
        return self.zoned(torch.cat([x, observed, given["gap"].to(x.dtype).expand(len(x), 1)], 1))

    def initial_state(self, batch: int) -> GRUDState:
        zeros = self.bias_ih.new_zeros
        return GRUDState(zeros(batch, self.width), zeros(batch, self.features), zeros(batch, self.features))

    def advance(self, gates: Float[Tensor, "batch gates"], state: GRUDState) -> GRUDState:
        x, observed, gap = gates.split([self.features, self.features, 1], 1)
        since = gap + state.since
        filled = self._filled(x, observed, since, state.last)
        decay = nn.functional.linear(since, self.weight_decay_h, self.bias_decay_h)
        h = self.follow(self.see(torch.cat([filled, observed], 1)), decay, state.h)
        return GRUDState(h, torch.where(observed > 0, x, state.last), torch.where(observed > 0, 0, since))

    def _filled(self, x: Tensor, observed: Tensor, since: Tensor, last: Tensor) -> Tensor:
        """x, and where it is missing what lies between the last value seen and the usual one."""
        decay = torch.exp(-torch.relu(self.weight_decay_x * since + self.bias_decay_x))
        return observed * x + (1 - observed) * (self.usual + decay * (last - self.usual))

    def follow(self, seen: Float[Tensor, "batch gates"], decay: Float[Tensor, "batch width"], h: Tensor) -> Tensor:
        """h after a step, of the gates of its input and what its decay is made of."""
        h = torch.exp(-torch.relu(decay)) * h
        both, new = slice(0, 2 * self.width), slice(2 * self.width, None)
        r, z = torch.sigmoid(seen[:, both] + self.recur(h, both)).chunk(2, 1)
        n = torch.tanh(seen[:, new] + self.recur(r * h, new))
        return h + z * (n - h)

    def read(
        self,
        x: Float[Tensor, "steps features"],
        counts: Int[Tensor, "time"],
        state: GRUDState,
        reverse: bool,
        observed: Tensor,
        gap: Tensor,
    ) -> tuple[Float[Tensor, "steps more"], GRUDState]:
        """x̂, m and δ of all steps of a packed batch, `[steps, 3 · features]`, which do not depend on h; and the state after them,
        with the h of before."""
        observed = observed.to(x.dtype).expand_as(x)
        x, gap = torch.where(observed == 0, 0, x), gap.to(torch.float64).expand(len(x), 1)
        batch, times = len(state.h), torch.repeat_interleave(torch.arange(len(counts)), counts)
        lengths = (torch.arange(batch)[:, None] < counts).sum(1)
        row = torch.arange(len(x)) - (counts.cumsum(0) - counts)[times]
        step = lengths[row] - times if reverse else times + 1  # of its row; 0 is what was before
        place, end = ((at * batch + of).to(x.device) for at, of in ((step, row), (lengths, torch.arange(batch))))

        def laid(of: Tensor) -> Tensor:
            """As `[1 + time, batch, …]`, zero where there is no step."""
            return (
                of.new_zeros((1 + len(counts)) * batch, of.shape[1]).index_copy(0, place, of).unflatten(0, (-1, batch))
            )

        def taken(grid: Tensor, at: Tensor) -> Tensor:
            return grid.flatten(0, 1).index_select(0, at)

        # the step in which each feature was seen last
        latest = laid((observed > 0) * step.to(x.device)[:, None]).cummax(0).values
        earlier, clock = latest.roll(1, 0), laid(gap).cumsum(0).expand(-1, -1, self.features)
        values = torch.cat([state.last[None], laid(x)[1:]])
        began = torch.cat([-state.since.double()[None], clock[1:]])  # the clock when a feature was seen
        since = taken(clock - began.gather(0, earlier), place).to(x.dtype)
        filled = self._filled(x, observed, since, taken(values.gather(0, earlier), place))
        after = taken(clock - began.gather(0, latest), end).to(x.dtype)
        last = taken(values.gather(0, latest), end)
        return torch.cat([filled, observed, since], 1), state._replace(last=last, since=after)

    def hold(self, new: GRUDState, old: GRUDState, share: Float[Tensor, "batch zones"]) -> GRUDState:
        return new._replace(h=new.h + share * (old.h - new.h))
