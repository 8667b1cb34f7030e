"""One step of a stream, for `cells.py`: saiki beside torch's layer and cell, and ONNX Runtime where it is installed."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from _peers import step_onnxruntime
from speed import SAIKI, TORCH, alternate
from torch import Tensor, nn

from saiki.kernels import NativeStream

CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
KERNELS = {"rnn": "elman_tanh", "gru": "gru", "lstm": "lstm"}


def stream(kind: str, width: int, seconds: float) -> dict[str, Any]:
    """Seconds per step of a sequence that goes on, from Python: input as a tensor, output as a tensor, state kept."""
    torch.manual_seed(0)
    layer = TORCH[kind](width, width)
    jobs: dict[str, Callable[[Tensor], Any]] = {
        "saiki": NativeStream(KERNELS[kind], list(layer.parameters())).push,
        "torch_layer": by_layer(layer),
        "torch_cell": by_cell(kind, layer),
        "saiki_layer": by_layer(_same(SAIKI[kind](width, width), layer)),
    }
    if find_spec("onnxruntime") and find_spec("onnx"):
        jobs["onnxruntime"] = step_onnxruntime(kind, layer)
    inputs = torch.randn(8, width)
    with torch.no_grad():
        expected = layer(inputs[:, None])[0][:, 0]
        for name, job in jobs.items():
            got = torch.stack([torch.as_tensor(job(x)).reshape(width) for x in inputs])
            if (got - expected).abs().max() > 1e-5:
                raise SystemExit(f"stream {kind}: {name} and torch disagree; nothing is reported")
        calls = [lambda job=job: [job(x) for x in inputs] for job in jobs.values()]
        times = alternate(calls, seconds)
    return {name: statistics.median(t) / len(inputs) for name, t in zip(jobs, times, strict=True)}


def _same(layer: nn.Module, like: nn.Module) -> nn.Module:
    layer.load_state_dict(like.state_dict())
    return layer


def by_layer(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """A layer at one step, its state handed back to it."""
    state: Any = None

    def push(x: Tensor) -> Tensor:
        nonlocal state
        y, state = layer(x[None, None], state)
        return y

    return push


def by_cell(kind: str, layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """torch's cell with the layer's weights."""
    cell = CELLS[kind](layer.input_size, layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    state: Any = None

    def push(x: Tensor) -> Tensor:
        nonlocal state
        state = cell(x[None], state)
        return state[0] if kind == "lstm" else state

    return push
