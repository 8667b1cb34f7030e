"""Linear recurrent unit: complex decays inside the unit circle turn and shrink the past, unit by unit."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saiki.cells.base import Cell
from saiki.shapes import Float

#: the decays are drawn uniformly from the disc of the complex plane
LEAST_RADIUS, LARGEST_RADIUS, LARGEST_PHASE = 0.0, 1.0, 2 * math.pi


class LRUState(NamedTuple):
    real: Tensor  # [batch, width]
    imaginary: Tensor  # [batch, width]


class LRU(Cell):
    """Linear recurrent unit: a diagonal complex recurrence between two linear maps.

        λ = exp(-exp(ν) + i exp(θ)),   |λ| < 1 whatever ν
        s_t = λ ∘ s_{t-1} + exp(γ) ∘ (B x_t)             complex
        output_t = Re(C s_t) + D x_t

    `B_re`, `B_im` [width, features], `C_re`, `C_im` [width, width], `D` [width, features]; `nu_log`, `theta_log` and
    `gamma_log` [width] hold ν, θ, γ.

    Source: Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences", 2023 (arXiv 2303.06349),
    section 3 and appendix A (first weights): decays uniform on the disc, γ = log √(1 - |λ|²), B and C Glorot. There D is
    a vector, for as many features as units; here a matrix, for any number.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.features, self.width, self.output_width = features, width, width
        self.nu_log, self.theta_log, self.gamma_log = (nn.Parameter(torch.empty(width)) for _ in range(3))
        self.B_re, self.B_im, self.D = (nn.Parameter(torch.empty(width, features)) for _ in range(3))
        self.C_re, self.C_im = (nn.Parameter(torch.empty(width, width)) for _ in range(2))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """|λ|² and the phase uniform; B, C and D normal, scaled by the number of inputs of each."""
        with torch.no_grad():
            least, largest = LEAST_RADIUS**2, LARGEST_RADIUS**2
            square = (
                torch.empty_like(self.nu_log).uniform_(1e-6, 1).mul_(largest - least).add_(least).clamp_(max=1 - 1e-6)
            )
            self.nu_log.copy_((-square.log() / 2).log())
            self.theta_log.copy_(torch.empty_like(square).uniform_(1e-6, 1).mul_(LARGEST_PHASE).log())
            self.gamma_log.copy_((1 - square).sqrt().log())
            for part, scale in ((self.B_re, 2), (self.B_im, 2), (self.C_re, 1), (self.C_im, 1), (self.D, 1)):
                part.normal_(std=1 / math.sqrt(scale * max(part.shape[1], 1)))

    def project(self, x: Float[Tensor, "steps features"], **given: Tensor) -> Float[Tensor, "steps gates"]:
        scale = torch.cat([self.gamma_log, self.gamma_log, torch.zeros_like(self.gamma_log)]).exp()
        return nn.functional.linear(x, torch.cat([self.B_re, self.B_im, self.D])) * scale

    def initial_state(self, batch: int) -> LRUState:
        return LRUState(self.nu_log.new_zeros(batch, self.width), self.nu_log.new_zeros(batch, self.width))

    def step(self, gates: Float[Tensor, "batch gates"], state: LRUState) -> LRUState:
        real, imaginary = state
        radius, phase = torch.exp(-self.nu_log.exp()), self.theta_log.exp()
        cosine, sine = radius * phase.cos(), radius * phase.sin()
        inflow, inflow_imaginary, _ = gates.chunk(3, 1)
        return LRUState(cosine * real - sine * imaginary + inflow, cosine * imaginary + sine * real + inflow_imaginary)

    def output(self, gates: Float[Tensor, "batch gates"], state: LRUState) -> Float[Tensor, "batch width"]:
        return (
            nn.functional.linear(state.real, self.C_re)
            - nn.functional.linear(state.imaginary, self.C_im)
            + gates[:, 2 * self.width :]
        )

    def extra_repr(self) -> str:
        return f"{self.features}, {self.width}"
