"""Echo state: a fixed random reservoir that the input drives; only what reads it is trained."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import Cell
from saiki.errors import OptionError
from saiki.shapes import Float

#: connections per unit where no density is given
CONNECTIONS = 10
#: a matrix whose largest eigenvalue is below this share of its largest weight cannot be scaled to a spectral radius
LEAST_RADIUS = 1e-6
DRAWS = 20


class EchoStateState(NamedTuple):
    h: Tensor  # [batch, width]


class EchoState(Cell):
    """Leaky echo state reservoir: weights are drawn once and never trained.

        h_t = (1 - a) h_{t-1} + a f(W_ih x_t + W_hh h_{t-1} + W_fb y_{t-1} + b),   f = tanh or identity, a = leak

    `weight_ih` [width, features], `weight_hh` [width, width], `bias` [width] and, where `fed_back` > 0, `weight_fb`
    [width, fed_back] are buffers: saved with the model, seen by no optimiser. Every unit has the same number of
    recurrent weights that are not 0 (`density` · width; by default 10), uniform in ±1 and then scaled together so that
    the largest absolute eigenvalue of W_hh is `spectral_radius`, computed in float64 from all eigenvalues. Input weights
    are uniform in ±input_scale / √features, so that the drive is as large for many inputs as for one, feedback weights in
    ±feedback_scale / √fed_back, biases in ±bias_scale.

    Args:
        fed_back: numbers of the output y that are fed back, given to `project` as `feedback` (y of the step before).
        dtype: of the weights; the spectral radius is as exact as it allows.

    Raises:
        OptionError: an option out of its range, or a matrix so sparse that all its eigenvalues are 0.

    Source: Jaeger, "The echo state approach to analysing and training recurrent neural networks", 2001 (GMD report 148);
    leaky units: Jaeger et al., "Optimization and applications of echo state networks with leaky-integrator neurons",
    2007 (Neural Networks 20), in the form of Lukosevicius, "A practical guide to applying echo state networks", 2012,
    equations 2 and 3, with feedback as in its equation 6.
    """

    def __init__(
        self,
        features: int,
        width: int,
        *,
        leak: float = 1.0,
        spectral_radius: float = 0.9,
        density: float | None = None,
        input_scale: float = 1.0,
        bias_scale: float = 0.1,
        fed_back: int = 0,
        feedback_scale: float = 1.0,
        nonlinearity: str = "tanh",
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "identity"):
            raise OptionError(f"nonlinearity: got {nonlinearity!r}; the cell echo_state takes 'tanh' or 'identity'")
        if not 0 < leak <= 1:
            raise OptionError(f"leak: got {leak}; expected above 0, at most 1")
        if density is not None and not 0 < density <= 1:
            raise OptionError(f"density: got {density}; expected above 0, at most 1")
        for name, value in (
            ("spectral_radius", spectral_radius),
            ("input_scale", input_scale),
            ("bias_scale", bias_scale),
            ("feedback_scale", feedback_scale),
            ("fed_back", fed_back),
        ):
            if not 0 <= value < float("inf"):
                raise OptionError(f"{name}: got {value}; expected a number of at least 0")
        super().__init__()
        self.features, self.width, self.output_width, self.fed_back = features, width, width, fed_back
        self.leak, self.spectral_radius, self.nonlinearity = leak, spectral_radius, nonlinearity
        self.density = min(1.0, CONNECTIONS / width) if density is None else density
        self.input_scale, self.bias_scale, self.feedback_scale = input_scale, bias_scale, feedback_scale
        self.needs = frozenset({"feedback"} if fed_back else ())
        self.register_buffer("weight_ih", torch.empty(width, features, dtype=dtype))
        self.register_buffer("weight_hh", torch.empty(width, width, dtype=dtype))
        self.register_buffer("bias", torch.empty(width, dtype=dtype))
        self.register_buffer("weight_fb", torch.empty(width, fed_back, dtype=dtype) if fed_back else None)
        self.reset_parameters()

    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor
    weight_fb: Tensor | None

    def reset_parameters(self) -> None:
        """Draw a new reservoir."""
        _uniform(self.weight_ih, self.input_scale / max(1, self.features) ** 0.5)
        _uniform(self.bias, self.bias_scale)
        if self.weight_fb is not None:
            _uniform(self.weight_fb, self.feedback_scale / self.fed_back**0.5)
        with torch.no_grad():
            self.weight_hh.copy_(_reservoir(self.width, self.density, self.spectral_radius))

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        drive = nn.functional.linear(x, self.weight_ih, self.bias)
        return drive if self.weight_fb is None else drive + nn.functional.linear(given["feedback"], self.weight_fb)

    def initial_state(self, batch: int) -> EchoStateState:
        return EchoStateState(self.weight_hh.new_zeros(batch, self.width))

    def step(self, gates: Float[Tensor, "batch gates"], state: EchoStateState) -> EchoStateState:
        new = gates + nn.functional.linear(state.h, self.weight_hh)
        new = torch.tanh(new) if self.nonlinearity == "tanh" else new
        return EchoStateState((1 - self.leak) * state.h + self.leak * new)

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_sparse"}  # what kernels derived

    def extra_repr(self) -> str:
        return f"{self.features}, {self.width}, leak={self.leak}, spectral_radius={self.spectral_radius}"


def _uniform(weight: Tensor, largest: float) -> None:
    nn.init.uniform_(weight, -largest, largest)


def _reservoir(width: int, density: float, radius: float) -> Tensor:
    """A matrix with the same number of entries in every row and that spectral radius, in float64."""
    entries = min(width, max(1, round(density * width)))
    for _ in range(DRAWS):
        chosen = torch.rand(width, width).argsort(1)[:, :entries]
        weights = torch.empty(width, entries, dtype=torch.float64).uniform_(-1, 1)
        matrix = torch.zeros(width, width, dtype=torch.float64).scatter_(1, chosen, weights)
        found = torch.linalg.eigvals(matrix).abs().max().item() if width else 1.0
        if found > LEAST_RADIUS:
            return matrix * (radius / found)
    raise OptionError(f"density: {entries} of {width} weights per unit gave no cycle in {DRAWS} draws; raise density")
