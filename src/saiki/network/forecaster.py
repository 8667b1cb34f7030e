"""The forecasting network: a window of values in its own units → patches → recurrent layers → every step of the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from saiki.errors import OptionError
from saiki.network import laws
from saiki.network.blend import SeasonBlend
from saiki.network.closed_form import Standardise, Told, offsets_of
from saiki.network.lags import LinearLags
from saiki.network.options import Network
from saiki.network.scaling import SMALLEST, Scale, level_scale, no_scale, normalise, window_scale
from saiki.network.stack import Stack
from saiki.shapes import Float

#: smallest spread of a window, in spreads of a typical series; where 0 is the floor of the values
LEAST, LEAST_FLOORED = 1e-6, 0.1


@dataclass(frozen=True)
class Plan:
    """The sizes that the task derives from options and data; part of the saved model."""

    history: int  # steps of the window, a multiple of patch
    horizon: int  # steps ahead
    season: int  # steps; 1 for none
    patch: int  # steps per token of the recurrent layers
    copies: int  # past seasons that the blend may copy; 0 for no blend
    forks: int  # last tokens from which training forecasts, all in one pass; an answer comes from the last one
    log: bool  # values are positive and modelled by their logarithm
    scale: str  # units of a window: window (its own level and spread), level, last (one spread for all), none
    levels: tuple[float, ...] = ()  # probabilities of the quantiles beside the point, rising
    past: int = 0  # numbers per step known in the window only
    future: int = 0  # numbers per step known in the window and ahead
    static: int = 0  # numbers per series
    unit: float = 1.0  # spread of all windows where the scale is level or last
    calendar: int = 0  # numbers that place a step in the calendar
    distribution: str = "quantiles"  # or the distribution whose parameters stand beside the point
    joint: bool = False  # its likelihood trains the point and the state too
    lags: int = 0  # last steps of the linear forecast beside the network; 0 for none
    floor: bool = False  # values were never below 0 and often 0: neither are forecasts
    typical: float = 1.0  # spread of a typical series in data units
    relative: float = SMALLEST  # smallest spread of a window, relative to its level
    members: int = 0  # networks whose forecasts are averaged; 0 while that is open
    categories: tuple[
        tuple[str, int], ...
    ] = ()  # (which of past, future, static; number of codes) per categorical column

    @property
    def tokens(self) -> int:
        return self.history // self.patch

    @property
    def least(self) -> float:
        """The smallest spread of a window in data units: a window of zeros says little of the sales that follow it."""
        return (LEAST_FLOORED if self.floor else LEAST) * self.typical

    @property
    def known(self) -> int:
        """Steps of the window that every fork knows: those that level and spread are taken from."""
        return self.history - (self.forks - 1) * self.patch


@dataclass(frozen=True)
class Outlook:
    """What the network says of one batch, in normalised units, and how to come back to data units."""

    point: Float[Tensor, "batch horizon"]
    quantiles: Float[Tensor, "batch horizon levels"] | None
    scale: Scale
    shape: Float[Tensor, "batch horizon parameters"] | None = None  # of a distribution, instead of quantiles
    distribution: str = "quantiles"

    def points(self) -> Tensor:
        """The point forecast in data units."""
        return self.scale.outward(self.point)

    def bands(self, levels: tuple[float, ...] = ()) -> Tensor:
        """Quantiles in data units, `[batch, horizon, levels]`: those that were trained; of a distribution any `levels`."""
        found = self.quantiles
        if self.shape is not None:
            found = laws.quantiles(self.distribution, self.point, self.shape, self.scale, levels)
        assert found is not None
        return self.scale.outward(found.flatten(1)).view_as(found)

    def widths(self, levels: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """The point, and the widths below and above it that the quantiles nearest to 80 % give, else 1: `[batch, horizon]`."""
        point = self.point.double()
        if self.shape is not None:
            low, high = laws.eighty(self.distribution, self.point, self.shape, self.scale)
            return point, low.clamp_min(1e-6), high.clamp_min(1e-6)
        if self.quantiles is None:
            return point, torch.ones_like(point), torch.ones_like(point)
        low, high = (min(range(len(levels)), key=lambda k, p=p: abs(levels[k] - p)) for p in (0.1, 0.9))
        bands = self.quantiles.double()
        return point, (point - bands[..., low]).clamp_min(1e-6), (bands[..., high] - point).clamp_min(1e-6)


class Forecaster(nn.Module):
    """Direct forecast of the whole horizon from one window.

        x = (f(y) - level) / spread                                window units, f = log for positive data
        u_k = E [x_patch k, share observed, log spread, covariates]  one token per patch
        s_k = stack(u)_k                                            recurrent layers; s is the last state
        ŷ = f⁻¹(level + spread · (W s + blend(s, x) + ahead(s, known future)))

    Of few series the point is then a mean of this and of a linear forecast, `share` of which is settled after training.

    Quantiles are the point plus rising offsets, so they never cross:  q_l = point ± Σ softplus(V s + b + tilt · point). The tilt is
    for noise that does not grow as the units do, such as one of constant width in data of which the logarithm is taken.

    In training the last `forks` tokens forecast, each the horizon after itself; level and spread come from what all know.

    Source: patches as recurrent steps and direct decoding follow SegRNN (Lin et al. 2023, arXiv 2308.11200); window units follow
    ES-RNN (Smyl 2020) and reversible instance normalisation (Kim et al. 2022), computed without learned parameters here.
    """

    def __init__(self, plan: Plan, options: Network, width: int) -> None:
        super().__init__()
        self.plan = plan
        self.embeddings = nn.ModuleList(nn.Embedding(codes, _size(codes)) for _, codes in plan.categories)
        sizes = {
            k: sum(_size(codes) for where, codes in plan.categories if where == k) for k in ("past", "future", "static")
        }
        per_step = plan.past + sizes["past"] + plan.future + sizes["future"]
        numbers = plan.patch * (1 + per_step) + 2 + plan.calendar + plan.static + sizes["static"]
        self.closed_form, self.ridge = options.closed_form, options.ridge
        if self.closed_form and plan.distribution in laws.PARAMETERS:
            raise OptionError(
                f"distribution {plan.distribution} is trained by its likelihood, but the readout of echo_state is found in closed "
                "form; leave --distribution out, or take another --cell"
            )
        if options.washout:
            raise OptionError("washout: a forecast runs through its whole window before its end is read; leave it out")
        self.encode = Standardise(numbers) if self.closed_form else nn.Linear(numbers, width)
        self.stack = Stack(numbers if self.closed_form else width, options, width)
        out = self.stack.output_width
        self.point = nn.Linear(out, plan.horizon)
        with torch.no_grad():
            self.point.weight.mul_(0.1)
            self.point.bias.zero_()
        self.linear = None
        if plan.lags and not self.closed_form:  # whose readout is a ridge regression itself
            self.linear = LinearLags(lags=plan.lags, horizon=plan.horizon, season=plan.season)
        self.blend = None
        if plan.copies:
            self.blend = SeasonBlend(out, horizon=plan.horizon, season=plan.season, copies=plan.copies)
        known = plan.future + sizes["future"] + (0 if self.closed_form else plan.calendar)
        self.ahead = None
        if known:
            self.ahead = Told(known * plan.horizon, plan.horizon) if self.closed_form else _Ahead(out, known, width)
        self.offsets = None
        self.shape = None
        if plan.distribution in laws.PARAMETERS:
            self.shape = nn.Linear(out, plan.horizon * laws.PARAMETERS[plan.distribution])
            nn.init.constant_(self.shape.bias, -1.5)  # a fifth of the window's spread at first
        elif plan.levels:
            self.offsets = nn.Linear(out, plan.horizon * len(plan.levels))
            nn.init.constant_(self.offsets.bias, -2.0)  # narrow at first: an eighth of the window's spread
            self.tilt = nn.Parameter(torch.zeros(len(plan.levels)))
        if self.closed_form:
            self.double()
            if self.blend is not None:
                self.blend.copy_evenly()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *given: Any) -> None:
        """Weights from before widths had a tilt, which is then 0."""
        if self.offsets is not None:
            state_dict.setdefault(f"{prefix}tilt", torch.zeros_like(self.tilt))
        super()._load_from_state_dict(state_dict, prefix, *given)

    def forward(self, batch: dict[str, Tensor], forks: int = 1) -> Outlook:
        """From a batch as the table codec encodes it; y `[batch, history]` is float64, NaN where nothing is observed.

        With `forks` the forecast is made after each of the last tokens, as rows of their own: `[batch · forks, horizon]`.
        """
        state, told, base, scale = self._seen(batch, forks)
        point = self.point(state)
        if base is not None:
            point = point + base
        if self.ahead is not None:
            point = point + self.ahead(state, told)
        if self.linear is not None and self.linear.share:
            point = point + self.linear.share * (self.straight(batch, forks) - point)
        point, state, scale = point.flatten(0, 1), state.flatten(0, 1), scale.repeat(forks)
        if self.shape is None:
            return Outlook(point, self._quantiles(state, point), scale)
        plan = self.plan
        if plan.distribution == "negative_binomial":
            point = laws.counted(point, scale)
        raw = self.shape(state if plan.joint else state.detach()).view(*point.shape, -1)
        return Outlook(point, None, scale, laws.shape(plan.distribution, raw), plan.distribution)

    def straight(self, batch: dict[str, Tensor], forks: int = 1) -> Float[Tensor, "batch forks horizon"]:
        """The linear forecast, in units of the window."""
        assert self.linear is not None
        x = batch["x"].to(self.point.weight.dtype) if "x" in batch else self.window(batch)
        return self.linear(x, batch["y"].isfinite(), fork_ends(self.plan, forks).to(x.device))

    def _seen(self, batch: dict[str, Tensor], forks: int) -> tuple[Tensor, Tensor | None, Tensor | None, Scale]:
        """What the last layer reads: the state of every fork, what is told of its horizon; what it adds to; its units."""
        plan, y = self.plan, batch["y"]
        observed = y.isfinite()
        # forks before the last one must not see what comes after them, and all forks share one scale
        scale = self._scale(y, observed)
        # levels are taken out in double precision: a series may vary little at a high level
        x = batch["x"].to(self.point.weight.dtype) if "x" in batch else self._normal(y, observed, scale)
        state = self._read(x, observed, scale, batch)[:, plan.tokens - forks :]
        ends = fork_ends(plan, forks).to(x.device)
        base = None if self.blend is None else self.blend(state, x, observed, ends)
        if self.ahead is None:
            return state, None, base, scale
        parts = [("future_history", "calendar_history"), ("future_horizon", "calendar_horizon")]
        columns = [[self._column(batch, "future", future), batch[calendar]] for future, calendar in parts]
        told = torch.cat([c[0] if self.closed_form else torch.cat(c, -1) for c in columns], 1).to(state.dtype)
        told = told[:, ends[:, None] + torch.arange(plan.horizon, device=x.device)]
        return state, told, base, scale

    # In closed form.

    def prepare(self, batch: dict[str, Tensor]) -> None:
        """Take the units of the tokens from a batch of windows, before anything else is learned."""
        assert isinstance(self.encode, Standardise)
        y = batch["y"]
        observed = y.isfinite()
        scale = self._scale(y, observed)
        x = self._normal(y, observed, scale)
        self.encode.fit(self._numbers(x, observed, scale, batch)[0].flatten(0, 1))

    def columns(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor | float, Scale]:
        """What the readout sees of every window, `[batch, columns]`, what its answer is added to, and in what units."""
        state, told, base, scale = self._seen(batch, 1)
        seen = state[:, 0] if told is None else torch.cat([state[:, 0], told[:, 0].flatten(1)], 1)
        return seen, 0.0 if base is None else base[:, 0], scale

    @property
    def readout_columns(self) -> int:
        told = self.ahead.out.in_features if isinstance(self.ahead, Told) else 0
        return self.point.in_features + told

    @torch.no_grad()
    def take(
        self,
        weight: Float[Tensor, "columns horizon"],
        intercept: Float[Tensor, "horizon"],
        errors: Float[Tensor, "rows horizon"],
    ) -> None:
        """The readout that was found, and intervals as wide as its errors on windows left out."""
        state = self.point.in_features
        self.point.weight.copy_(weight[:state].T)
        self.point.bias.copy_(intercept)
        if isinstance(self.ahead, Told):
            self.ahead.out.weight.copy_(weight[state:].T)
        if self.offsets is not None:
            self.offsets.weight.zero_()
            self.offsets.bias.copy_(offsets_of(errors, self.plan.levels).flatten())

    def _scale(self, y: Tensor, observed: Tensor) -> Scale:
        """Level and spread of each window, of what all forks know."""
        if self.plan.scale == "none":
            return no_scale(y)
        if self.plan.scale == "window":
            return window_scale(*self._base(y, observed), self.plan.log, self.plan.least, self.plan.relative)
        return level_scale(*self._base(y, observed), self.plan.scale == "last", self.plan.unit)

    def window(self, batch: dict[str, Tensor]) -> Float[Tensor, "batch history"]:
        """The values in units of their window; as `x` in a batch, others may stand in for them in the same units."""
        observed = batch["y"].isfinite()
        return self._normal(batch["y"], observed, self._scale(batch["y"], observed))

    def _normal(self, y: Tensor, observed: Tensor, scale: Scale) -> Tensor:
        return normalise(y, observed, scale, clip=self.plan.scale == "window").to(self.point.weight.dtype)

    def attention(self, batch: dict[str, Tensor]) -> Tensor:
        """How much every token of the window counts, `[batch, tokens]`, or at every token `[batch, tokens, tokens]`."""
        y = batch["y"]
        observed = y.isfinite()
        scale = self._scale(y, observed)
        x = self._normal(y, observed, scale)
        tokens, share = self._tokens(x, observed, scale, batch)
        return self.stack.attention_weights(tokens, observed=share)

    def _base(self, y: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the window that all forks know; the whole of it where that part has nothing observed."""
        inside = torch.arange(y.shape[1], device=y.device) < self.plan.known
        return y, torch.where((observed & inside).any(1, keepdim=True), observed & inside, observed)

    def _read(self, x: Tensor, observed: Tensor, scale: Scale, batch: dict[str, Tensor]) -> Tensor:
        """The state after every token: `[batch, tokens, width]`."""
        tokens, share = self._tokens(x, observed, scale, batch)
        return self.stack(tokens, observed=share)[0]

    def _tokens(
        self, x: Tensor, observed: Tensor, scale: Scale, batch: dict[str, Tensor]
    ) -> tuple[Float[Tensor, "batch tokens width"], Float[Tensor, "batch tokens one"]]:
        """The patches as the recurrent layers take them, and the share of each that was observed."""
        numbers, share = self._numbers(x, observed, scale, batch)
        return self.encode(numbers), share

    def _numbers(
        self, x: Tensor, observed: Tensor, scale: Scale, batch: dict[str, Tensor]
    ) -> tuple[Float[Tensor, "batch tokens numbers"], Float[Tensor, "batch tokens one"]]:
        rows, tokens, patch = len(x), self.plan.tokens, self.plan.patch
        share = observed.view(rows, tokens, patch).to(x.dtype).mean(2, keepdim=True)
        usual = self.plan.typical if self.plan.scale == "window" and not self.plan.log else 1.0
        spread = (scale.spread / usual).log().to(x.dtype)[:, None].expand(rows, tokens, 1)
        parts = [x.view(rows, tokens, patch), share, spread]
        parts.append(batch["calendar_history"].view(rows, tokens, patch, -1)[:, :, -1])
        parts.append(self._column(batch, "past", "past").reshape(rows, tokens, -1))
        parts.append(self._column(batch, "future", "future_history").reshape(rows, tokens, -1))
        parts.append(self._column(batch, "static", "static")[:, None].expand(rows, tokens, -1))
        return torch.cat(parts, 2).to(self.point.weight.dtype), share

    def _column(self, batch: dict[str, Tensor], role: str, name: str) -> Tensor:
        """The numbers of a role with its categories embedded beside them: `[…, features]`."""
        codes = batch[f"{name}_codes"]
        own = [e for (where, _), e in zip(self.plan.categories, self.embeddings, strict=True) if where == role]
        return torch.cat([batch[name], *(e(codes[..., k]) for k, e in enumerate(own))], -1)

    def _quantiles(self, state: Tensor, point: Tensor) -> Tensor | None:
        if self.offsets is None:
            return None
        levels = self.plan.levels
        raw = self.offsets(state.detach()).view(*point.shape, len(levels))
        away = nn.functional.softplus(raw + self.tilt * point.detach()[..., None])
        below = sum(level < 0.5 for level in levels)
        # outwards from the point; neither it nor the state is trained by them: to ask for intervals changes no forecast
        down = -away[..., :below].flip(-1).cumsum(-1).flip(-1)
        return point.detach()[..., None] + torch.cat([down, away[..., below:].cumsum(-1)], -1)


def fork_ends(plan: Plan, forks: int) -> Tensor:
    """The steps of the window after which each fork forecasts: `[forks]`, the last one at its end."""
    return plan.history - plan.patch * torch.arange(forks - 1, -1, -1)


class _Ahead(nn.Module):
    """What the known future adds to each step of the horizon."""

    def __init__(self, state: int, known: int, width: int) -> None:
        super().__init__()
        self.state = nn.Linear(state, width)
        self.known = nn.Linear(known, width)
        self.out = nn.Linear(width, 1)

    def forward(
        self, state: Float[Tensor, "batch ends width"], known: Float[Tensor, "batch ends horizon future"]
    ) -> Float[Tensor, "batch ends horizon"]:
        return self.out(torch.relu(self.state(state)[:, :, None] + self.known(known))).squeeze(-1)


def _size(codes: int) -> int:
    """Numbers per category: a few for few codes."""
    return min(16, 1 + round(1.6 * codes**0.5))
