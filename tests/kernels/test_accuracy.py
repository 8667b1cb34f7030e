"""The tolerance of float32 (docs/decisions/0004): at most twice as far from float64 as torch's float32 is."""

from __future__ import annotations

import pytest
import torch

SEEDS = 100
ULPS = 2 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize(
    "kernel", ["elman_tanh", "gru", *(pytest.param(k, marks=pytest.mark.slow) for k in ("elman_relu", "lstm"))]
)
def test_float32_is_as_close_to_float64_as_torch(problem, kernel):
    squares: dict[int, list[float]] = {}
    for seed in range(SEEDS):
        how = {"lengths": [30, 21, 20, 9], "features": 11, "width": 37, "seed": seed}
        exact, single = problem(kernel, **how), problem(kernel, **how, dtype=torch.float32)
        with torch.no_grad():  # the same numbers: float64 starts from the rounded ones
            for wide, narrow in zip([*exact.inputs, *exact.into], [*single.inputs, *single.into], strict=True):
                wide.copy_(narrow)
        runs = [exact.torch_outputs(), single.kernel_outputs(), single.torch_outputs()]
        truth, got, torchs = (
            outs + case.gradients(outs) for case, outs in zip((exact, single, single), runs, strict=True)
        )
        for i, (t, g, r) in enumerate(zip(truth, got, torchs, strict=True)):
            scale = t.abs().max().item()
            sums = squares.setdefault(i, [0.0, 0.0, 0.0])
            sums[0] += (g.double() - t).square().mean().item()
            sums[1] += (r.double() - t).square().mean().item()
            sums[2] += (ULPS * scale) ** 2
    for i, (ours, theirs, slack) in squares.items():
        assert ours**0.5 <= 2 * theirs**0.5 + slack**0.5, f"tensor {i}"
        assert ours**0.5 <= 4 * theirs**0.5, f"tensor {i}: the slack alone carries the rule"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gate_functions_are_close_everywhere(dtype):
    """tanh through an Elman step of width 1, over the whole range and both signs, tails and tiny values included."""
    from saiki import kernels

    size = torch.logspace(-30, 2.5, 20_000, dtype=dtype)
    x = torch.cat([-size.flip(0), torch.zeros(1, dtype=dtype), size])[:, None]
    one, zero = torch.ones(1, 1, dtype=dtype), torch.zeros(1, 1, dtype=dtype)
    counts = torch.tensor([len(x)])
    y, _ = kernels.unroll("elman_tanh", x, [zero.expand(len(x), 1)], [one, zero, None, None], counts)
    exact = torch.tanh(x.double())
    units = ((y.double() - exact).abs() / exact.abs().clamp(min=1e-300)).max().item() / torch.finfo(dtype).eps
    assert units < 4, units
    assert torch.equal(y, -y.flip(0))
