"""One problem, solved by torch.nn and by the kernels: what the tests of this folder compare."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from saiki import kernels
from saiki.kernels.table import native

KERNELS = ("elman_tanh", "elman_relu", "lstm", "gru")


@dataclass
class Problem:
    """A cell, packed input, initial state, and the gradients that flow into the outputs."""

    kernel: str
    lengths: list[int]  # longest first
    features: int
    width: int
    dtype: torch.dtype = torch.float64
    reverse: bool = False
    bias: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(self.dtype)

        batch, time = len(self.lengths), max(self.lengths)
        self.active = sum(length > 0 for length in self.lengths)
        self.counts = (torch.arange(time)[:, None] < torch.tensor(self.lengths)).sum(1)
        blocks = {"lstm": 4, "gru": 3}.get(self.kernel, 1)
        rows, scale = blocks * self.width, self.width**-0.5
        shapes = [(rows, self.features), (rows, self.width)] + [(rows,)] * (2 if self.bias else 0)
        self.x = draw(sum(self.lengths), self.features).requires_grad_()
        self.weights = [(draw(*shape) * scale).requires_grad_() for shape in shapes]
        states = 2 if self.kernel == "lstm" else 1
        self.state = [draw(batch, self.width).requires_grad_() for _ in range(states)]
        self.into = [draw(sum(self.lengths), self.width), *(draw(batch, self.width) for _ in range(states))]

    @property
    def inputs(self) -> list[Tensor]:
        return [self.x, *self.state, *self.weights]

    def kernel_outputs(self) -> list[Tensor]:
        weights = [*self.weights, None, None][:4]
        y, final = kernels.unroll(self.kernel, self.x, self.state, weights, self.counts, self.reverse)
        return [y, *final]

    def torch_outputs(self) -> list[Tensor]:
        """torch.nn on the same packed sequence; the reverse direction is a forward pass over each row turned round."""
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}.get(self.kernel, nn.RNN)
        how = {"nonlinearity": self.kernel.removeprefix("elman_")} if self.kernel.startswith("elman") else {}
        module = kind(self.features, self.width, bias=self.bias, dtype=self.dtype, **how)
        names = [name for name, _ in module.named_parameters()]
        turned = self.turned() if self.reverse else torch.arange(len(self.x))
        first = [s[: self.active][None] for s in self.state]
        data = PackedSequence(self.x[turned], self.counts)
        y, final = torch.func.functional_call(
            module, dict(zip(names, self.weights, strict=True)), (data, tuple(first) if len(first) == 2 else first[0])
        )
        final = final if isinstance(final, tuple) else (final,)
        return [
            y.data[turned],
            *(torch.cat([f[0], s[self.active :]]) for f, s in zip(final, self.state, strict=True)),
        ]

    def turned(self) -> Tensor:
        """For each packed step, the packed step at the mirrored time of its row."""
        offsets = [0, *self.counts.cumsum(0).tolist()]
        rows = [
            offsets[self.lengths[b] - 1 - t] + b for t, count in enumerate(self.counts.tolist()) for b in range(count)
        ]
        return torch.tensor(rows)

    def gradients(self, outputs: list[Tensor]) -> list[Tensor]:
        return list(torch.autograd.grad(outputs, self.inputs, self.into))

    def assert_equal(self, tolerance: float) -> None:
        """Outputs, final states and every gradient, relative to the scale of each tensor (at least 1)."""
        got, expected = self.kernel_outputs(), self.torch_outputs()
        got, expected = got + self.gradients(got), expected + self.gradients(expected)
        for i, (g, e) in enumerate(zip(got, expected, strict=True)):
            assert g.shape == e.shape
            if e.numel():
                error = ((g - e).abs().max() / e.abs().max().clamp(min=1)).item()
                assert error <= tolerance, f"tensor {i} of {self}: {error}"


@pytest.fixture(scope="session")
def problem() -> type[Problem]:
    return Problem


@pytest.fixture(autouse=True)
def poisoned():
    """Every workspace is NaN before a call and its guards are checked after it; every test leaves two threads."""
    if native is None:
        pytest.skip("the native extension is not built")
    native.poison(True)
    torch.set_num_threads(2)
    yield
    native.poison(False)
    torch.set_num_threads(2)


@pytest.fixture
def nan_filled():
    """torch.empty gives NaN, so that an output element that is never written shows."""
    torch.use_deterministic_algorithms(True)
    before = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.utils.deterministic.fill_uninitialized_memory = before
    torch.use_deterministic_algorithms(False)
