"""Time a layer of saiki.nn against the same layer of torch.nn, in turns, in one process."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from saiki import nn


@dataclass(frozen=True)
class Timing:
    """Medians in milliseconds of forward and backward."""

    cell: str
    point: tuple[int, int, int]  # batch, time, width
    torch_ms: float
    saiki_ms: float

    @property
    def ratio(self) -> float:
        """How many times faster saiki is."""
        return self.torch_ms / self.saiki_ms


def compare(cell: str, batch: int, steps: int, width: int, repeats: int = 7) -> Timing:
    """Both layers with the same weights and input, in turns, so that a busy machine troubles both alike."""
    reference = getattr(torch.nn, cell)(width, width, batch_first=True)
    ours = getattr(nn, cell)(width, width, batch_first=True)
    ours.load_state_dict(reference.state_dict())
    x = torch.randn(batch, steps, width)
    layers = {"torch": reference, "saiki": ours}
    times: dict[str, list[float]] = {name: [] for name in layers}
    for turn in range(repeats + 2):
        for name, layer in layers.items():
            seconds = _once(layer, x)
            if turn >= 2:  # the first turns pay for buffers and caches
                times[name].append(1000 * seconds)
    return Timing(cell, (batch, steps, width), *(statistics.median(times[name]) for name in layers))


def _once(layer: torch.nn.Module, x: torch.Tensor) -> float:
    layer.zero_grad(set_to_none=True)
    x = x.detach().requires_grad_()
    since = time.perf_counter()
    layer(x)[0].sum().backward()
    return time.perf_counter() - since
