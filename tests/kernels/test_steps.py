"""Cells step by step in native code: every option against the reference loop, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from saiki import kernels
from saiki.cells import make_cell
from saiki.network.unroll import unroll_reference

INSIDE = {"layer_norm": True, "zoneout": 0.3, "state_dropout": 0.4, "weight_drop": 0.2}
#: (cell, options): each option alone, and all at once
CELLS = [
    *((cell, {option: value}) for cell in ("elman", "gru", "lstm", "slstm", "rhn") for option, value in INSIDE.items()),
    *((cell, {**INSIDE, "transition": 2, "deep_output": 1}) for cell in ("elman", "gru", "lstm", "slstm", "rhn")),
    ("elman", {"nonlinearity": "relu", "layer_norm": True}),
    ("elman", {"transition": 1}),
    ("gru", {"reset": "before"}),
    ("gru", {"reset": "before", **INSIDE}),
    ("lstm", {"peephole": True}),
    ("lstm", {"coupled": True}),
    ("lstm", {"peephole": True, "coupled": True}),
    ("lstm", {"projection": 5}),
    ("lstm", {"projection": 5, "peephole": True, "transition": 1, **INSIDE}),
    ("lstm", {"projection": 5, "coupled": True, "bias": False, **INSIDE}),
    ("slstm", {}),
    ("rhn", {"depth": 1}),
    ("rhn", {"depth": 3}),
    ("indrnn", {}),
    ("indrnn", {"nonlinearity": "tanh", "transition": 1}),
    ("sru", {}),
    ("lru", {}),
    ("lru", {"deep_output": 1}),
]
LENGTHS = [9, 9, 6, 3, 1, 0, 0]
FEATURES = 11


def name_of(case) -> str:
    return "-".join([case[0], *(f"{option}={value}" for option, value in case[1].items())])


def problem(case, lengths=LENGTHS, width=11, dtype=torch.float64, seed=0):
    """A cell with weights that are not the first ones, packed steps, counts, an initial state, gradients into the outputs."""
    generator = torch.Generator().manual_seed(seed)
    name, options = case
    cell = make_cell(name, FEATURES, width, **options).to(dtype)
    for weight in cell.parameters():
        weight.data += 0.1 * torch.randn(weight.shape, generator=generator, dtype=torch.float64).to(dtype)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    counts = (torch.arange(max(lengths))[:, None] < torch.tensor(lengths)).sum(1)
    x = draw(sum(lengths), FEATURES).requires_grad_()
    state = type(zero := cell.initial_state(len(lengths)))(*(draw(*part.shape).requires_grad_() for part in zero))
    into = [draw(sum(lengths), cell.output_width), *(draw(*part.shape) for part in zero)]
    return cell, x, counts, state, into


def by_kernel(cell, x, counts, state, reverse):
    """The kernel that the table finds; there must be one."""
    found = kernels.find(cell, x, state)
    assert isinstance(found, kernels.Row), found
    return kernels.run(found, cell, x, counts, state, reverse, unroll_reference)


def answers(how, cell, x, counts, state, into, reverse=False, seed=0) -> list[Tensor]:
    """Outputs, final states, and every gradient, with the masks of that seed."""
    torch.manual_seed(seed)
    outputs = [*(result := how(cell.drawn(len(state[0])), x, counts, state, reverse))[:1], *result[1]]
    return outputs + list(torch.autograd.grad(outputs, [x, *state, *cell.parameters()], into, allow_unused=True))


def assert_close(got: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for i, (g, e) in enumerate(zip(got, expected, strict=True)):
        g, e = (torch.zeros(1) if t is None else t for t in (g, e))
        error = ((g - e).abs().max() / e.abs().max().clamp(min=1)).item()
        assert error <= tolerance, f"tensor {i}: {error}"


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("case", CELLS, ids=name_of)
def test_a_kernel_gives_the_answers_of_the_reference(case, training, nan_filled):
    for width, reverse, threads in ((11, False, 2), (16, True, 3)):
        cell, x, counts, state, into = problem(case, width=width)
        cell.train(training)
        torch.set_num_threads(threads)
        runs = [answers(how, cell, x, counts, state, into, reverse) for how in (by_kernel, unroll_reference)]
        assert_close(*runs, tolerance=1e-10)
