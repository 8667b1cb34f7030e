"""What a network of fixed reservoirs has in place of learned parts, and which options have a meaning for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from saiki.errors import OptionError
from saiki.network.options import Network
from saiki.shapes import Float

#: fields of `Network` preferred to their defaults: the readout sees the input and all layers
DEFAULTS: dict[str, Any] = {"connection": "dense", "dropout": 0.0, "width": 100}
#: options that add weights which only gradients could train, or that act while gradients do; and their neutral values
LEARNED = {"norm": "none", "attention": "none", "dropout": 0.0, "locked": False}
#: options of the readout
READOUT = ("ridge", "washout")

#: options of training and of tasks that are for gradients
GRADIENTS = ("loss", "learning_rate", "schedule", "warmup", "average", "weight_decay", "clip", "patience")


def check(options: Network, possible: bool) -> None:
    """OptionError for an option without meaning; `possible`: whether the task has a readout in closed form."""
    if not (options.closed_form and possible):
        for name in READOUT:
            if getattr(options, name) is not None:
                raise OptionError(
                    f"--{name} has no meaning for {options.cell} here: it is for a readout in closed form: forecast, or "
                    "classify and regress of series, with --cell echo_state in every layer; leave it out"
                )
        return
    for name, neutral in LEARNED.items():
        if getattr(options, name) != neutral:
            raise OptionError(
                f"{name} {getattr(options, name)} has no meaning for echo_state, whose readout is found in closed form: "
                f"nothing else is learned; leave --{name} out"
            )
    if options.connection == "highway":
        raise OptionError(
            "connection highway has gates to be learned; expected plain, residual or dense for echo_state"
        )


def check_learning(given: Iterable[str]) -> None:
    """OptionError for options of learning by gradients, which a readout in closed form has no use for."""
    for name in GRADIENTS:
        if name in given:
            raise OptionError(
                f"{name} has no meaning for echo_state, whose readout is found in closed form, by least squares; "
                f"leave --{name.replace('_', '-')} out"
            )


class Standardise(nn.Module):
    """Numbers in units of their own spread about their mean; those that never change are 0."""

    mean: Tensor
    factor: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("factor", torch.ones(features))

    def fit(self, x: Float[Tensor, "rows features"]) -> None:
        spread = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.factor.copy_(torch.where(spread > 1e-6, 1 / spread, 0))

    def forward(self, x: Float[Tensor, "batch tokens features"]) -> Float[Tensor, "batch tokens features"]:
        return (x - self.mean) * self.factor


class Told(nn.Module):
    """A linear map of the known future of all steps, for a readout in closed form."""

    def __init__(self, known: int, horizon: int) -> None:
        super().__init__()
        self.out = nn.Linear(known, horizon, bias=False)

    def forward(
        self, state: Float[Tensor, "batch ends width"], known: Float[Tensor, "batch ends horizon future"]
    ) -> Float[Tensor, "batch ends horizon"]:
        return self.out(known.flatten(2))


def offsets_of(errors: Float[Tensor, "rows horizon"], levels: tuple[float, ...]) -> Float[Tensor, "horizon levels"]:
    """What softplus makes the distances from each quantile of the errors to the next one, outwards from the point."""
    probabilities = torch.tensor(levels, dtype=errors.dtype)
    ends = errors.quantile(probabilities, 0)  # [levels, horizon]
    below, nothing = int((probabilities < 0.5).sum()), ends.new_zeros(1, ends.shape[1])
    inside = ends[:below].diff(dim=0, append=nothing), ends[below:].diff(dim=0, prepend=nothing)
    away = torch.cat(inside).clamp_min(1e-6)
    return (away + (-torch.expm1(-away)).log()).T
