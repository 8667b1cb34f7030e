"""Pairs of layers, saiki's and torch's, with the same weights and the same problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from tests.cases import Case
from torch import Tensor, nn

import saiki
from saiki import kernels

#: layer kinds and the options that change their mathematics
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn-tanh": ("RNN", {}),
    "rnn-relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "gru-no-bias": ("GRU", {"bias": False}),
    "lstm": ("LSTM", {}),
    "lstm-no-bias": ("LSTM", {"bias": False}),
    "lstm-projected": ("LSTM", {"proj_size": -1}),  # stands for about half of the width
}


@dataclass
class Pair:
    """Our layer and torch's, the same weights, an input, initial states and the gradients that flow back."""

    kind: str
    case: Case
    dtype: torch.dtype = torch.float64
    batch_first: bool = False
    seed: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        name, options = KINDS[self.kind]
        options = {**options, **self.more, "bidirectional": self.case.bidirectional, "dtype": self.dtype}
        if "proj_size" in options:
            options["proj_size"] = self.case.width // 2
        sizes = self.case.features, self.case.width, self.case.layers
        self.ours = getattr(saiki.nn, name)(*sizes, batch_first=self.batch_first, **options)
        self.torchs = getattr(nn, name)(*sizes, batch_first=self.batch_first, **options)
        self.torchs.load_state_dict(self.ours.state_dict())
        self.x = self.draw(*self._order(self.case.time, self.case.batch), self.case.features).requires_grad_()
        widths = [options.get("proj_size") or self.case.width] + ([self.case.width] if name == "LSTM" else [])
        self.output_width = widths[0] * (1 + self.case.bidirectional)
        self.numbers = self.case.layers * (1 + self.case.bidirectional)
        self.hx = [self.draw(self.numbers, self.case.batch, width).requires_grad_() for width in widths]
        self.lengths = self.case.lengths_tensor()
        self.into = [self.draw(*self._order(self.case.time, self.case.batch), self.output_width)]
        self.into += [torch.randn_like(part) for part in self.hx]

    def _order(self, time: int, batch: int) -> tuple[int, int]:
        return (batch, time) if self.batch_first else (time, batch)

    def draw(self, *shape: int) -> Tensor:
        """The same numbers in every dtype."""
        return torch.randn(*shape, dtype=torch.float32).to(self.dtype)

    def to_double(self) -> Pair:
        """The same problem, bit for bit, in float64."""
        twin = Pair(self.kind, self.case, torch.float64, self.batch_first, self.seed, self.more)
        twin.ours.load_state_dict(self.ours.state_dict())
        twin.torchs.load_state_dict(self.ours.state_dict())
        with torch.no_grad():
            for wide, narrow in zip([twin.x, *twin.hx, *twin.into], [self.x, *self.hx, *self.into], strict=True):
                wide.copy_(narrow)
        return twin

    def ours_outputs(self) -> list[Tensor]:
        """Outputs and final states."""
        y, final = self.ours(
            self.x, self._given(self.hx), **({} if self.lengths is None else {"lengths": self.lengths})
        )
        return [y, *self._parts(final)]

    def torchs_outputs(self) -> list[Tensor]:
        """The same from torch.nn: at once where it can, else row by row, each row alone at its own length."""
        if self.lengths is None and self.case.batch * self.case.time:
            y, final = self.torchs(self.x, self._given(self.hx))
            return [y, *self._parts(final)]
        rows = [self._row(row) for row in range(self.case.batch)]
        if not rows:
            return [self.x.new_zeros(*self._order(self.case.time, 0), self.output_width), *self.hx]
        axes = (0 if self.batch_first else 1, *(1 for _ in self.hx))
        return [torch.cat(parts, axis) for parts, axis in zip(zip(*rows, strict=True), axes, strict=True)]

    def _row(self, row: int) -> list[Tensor]:
        x = (
            self.x[row : row + 1].transpose(0, 1) if self.batch_first else self.x[:, row : row + 1]
        )  # [time, 1, features]
        length = self.case.time if self.lengths is None else int(self.lengths[row])
        states = [part[:, row : row + 1] for part in self.hx]
        y = x.new_zeros(self.case.time, 1, self.output_width)
        if length:
            alone, final = self._time_major()(x[:length], self._given([part.contiguous() for part in states]))
            y = torch.cat([alone, y[length:]])
            states = self._parts(final)
        return [y.transpose(0, 1) if self.batch_first else y, *states]

    def _time_major(self) -> Callable:
        self.torchs.batch_first = False
        return self.torchs

    def _given(self, parts: list[Tensor]) -> Any:
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _parts(self, final: Any) -> list[Tensor]:
        return list(final) if isinstance(final, tuple) else [final]

    def gradients(self, outputs: list[Tensor], layer: nn.Module) -> list[Tensor]:
        """Of the input, the initial states and every weight; zeros where nothing flows."""
        leaves = [self.x, *self.hx, *layer.parameters()]
        pairs = [(out, into) for out, into in zip(outputs, self.into, strict=True) if out.requires_grad]
        found = torch.autograd.grad([o for o, _ in pairs], leaves, [i for _, i in pairs], allow_unused=True)
        return [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found, strict=True)]

    def names(self) -> list[str]:
        """What the tensors of `everything` are, in its order."""
        states = ["h", "c"][: len(self.hx)]
        weights = [name for name, _ in self.ours.named_parameters()]
        return ["output", *(f"{s}_n" for s in states), *(f"d{n}" for n in ["x", *(f"{s}_0" for s in states), *weights])]

    def everything(self, whose: str) -> dict[str, Tensor]:
        """Outputs, final states and all gradients, by name."""
        outputs = self.ours_outputs() if whose == "ours" else self.torchs_outputs()
        grads = self.gradients(outputs, self.ours if whose == "ours" else self.torchs)
        return dict(zip(self.names(), [out.detach() for out in outputs] + grads, strict=True))

    def assert_equal(self, tolerance: float) -> None:
        """Within `tolerance` times the scale of each tensor (at least 1)."""
        got, expected = self.everything("ours"), self.everything("torch")
        for name, tensor in expected.items():
            assert got[name].shape == tensor.shape, f"{name}: shape {got[name].shape}, expected {tensor.shape}"
            assert got[name].isfinite().all(), f"{name} is not finite"
            if tensor.numel():
                error = (got[name] - tensor).abs().max().item()
                assert error <= tolerance * max(1.0, tensor.abs().max().item()), f"{name} differs by {error}"


def use_reference(patch: pytest.MonkeyPatch) -> None:
    """Let the layers find no kernel."""
    patch.setattr(kernels, "match", lambda *_: "the reference is tested")
