"""What every cell must keep, as functions: `check(cell, run)` raises AssertionError where cell or run breaks a law.

`cell` is a cell in float64; `run(cell, x, lengths, state, reverse) -> (y, final)` computes a padded batch
`[batch, time, features]` with it. The suite gives the library's own run; sabotage gives broken twins of either.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from saiki.cells import Cell, State
from saiki.network.packing import packing
from saiki.network.unroll import one_step, unroll, unroll_reference

Run = Callable[..., tuple[Tensor, State]]
LENGTHS = torch.tensor([3, 7, 0, 1, 6])
TIME = 7
FEATURES = 3


def run_packed(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False, how=unroll):
    """Outputs `[batch, time, output_width]` and final states of a padded batch, as networks compute them."""
    layout = packing(lengths, x.shape[0], x.shape[1], batch_first=True)
    state = cell.initial_state(x.shape[0]) if state is None else state
    state = type(state)(*map(layout.sort, state))
    steps = layout.pack(x)
    given = given_of(cell, steps)
    if reverse and "gap" in given and len(steps):
        given["gap"] = layout.pack(_to_the_step_after(layout.pad(given["gap"]), lengths))
    y, final = how(cell, steps, layout.counts, state, reverse, **given)
    return layout.pad(y), type(final)(*map(layout.unsort, final))


def _to_the_step_after(gap: Tensor, lengths: Tensor | None) -> Tensor:
    """Gaps `[batch, time, 1]` such that in reverse, where the time to the step after counts, every step sees its own again."""
    rows = [gap.shape[1]] * len(gap) if lengths is None else lengths.tolist()
    turned = [torch.cat([g[:n].roll(1, 0), g[n:]]) for g, n in zip(gap, rows, strict=True)]
    return torch.stack(turned)


def given_of(cell: Cell, x: Tensor) -> dict[str, Tensor]:
    """What the cell needs beside the steps `x [steps, features]`, made of them so that it follows every law."""
    everything = {"gap": 0.5 + x[:, :1].abs(), "observed": (x.detach() > -0.5).to(x.dtype), "feedback": x[:, :2].sin()}
    return {name: everything[name] for name in cell.needs}


def run_reference(cell: Cell, x: Tensor, lengths=None, state=None, reverse: bool = False):
    """`run_packed` by the plain loop over `cell.step`."""
    return run_packed(cell, x, lengths, state, reverse, unroll_reference)


def draw(batch: int = len(LENGTHS), time: int = TIME) -> Tensor:
    return torch.randn(batch, time, FEATURES, dtype=torch.float64)


def draw_state(cell: Cell, batch: int = len(LENGTHS)) -> State:
    """A state that is not the initial one."""
    return type(zero := cell.initial_state(batch))(*(torch.randn_like(part) for part in zero))


def same(got, expected, tolerance: float = 1e-12) -> None:
    """Equal tensors, or equal tuples of them, to `tolerance` times their scale (at least 1)."""
    if not isinstance(got, Tensor):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            same(one, other, tolerance)
        return
    assert got.shape == expected.shape, f"shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    assert got.isfinite().all(), "not finite"
    if got.numel():
        error, scale = (got - expected).abs().max().item(), max(1.0, expected.abs().max().item())
        assert error <= tolerance * scale, f"differs by {error} at a scale of {scale}"


def flip(x: Tensor, lengths: Tensor) -> Tensor:
    """Every row turned round within its length."""
    out = torch.zeros_like(x)
    for row, length in enumerate(lengths.tolist()):
        out[row, :length] = x[row, :length].flip(0)
    return out


def matches_the_oracle(cell: Cell, run: Run, oracle: ModuleType, options: dict) -> None:
    """Outputs and final states are those of NumPy written from the paper, row by row."""
    x, state = draw(), draw_state(cell)
    y, final = run(cell, x, LENGTHS, state)
    weights = {name: weight.detach().numpy() for name, weight in cell.state_dict().items()}
    for row, length in enumerate(LENGTHS.tolist()):
        before = [part[row].detach().numpy() for part in state]
        for t in range(length):
            given = {name: values[0].numpy() for name, values in given_of(cell, x[row, t : t + 1]).items()}
            out, before = oracle.step(weights, x[row, t].numpy(), before, **options, **given)
            same(y[row, t], torch.from_numpy(out))
        same([part[row] for part in final], [torch.from_numpy(np.asarray(part)) for part in before])


def starts_as_the_oracle(cell: Cell, run: Run, oracle: ModuleType, options: dict) -> None:
    """The initial state is the paper's, for any batch, in the dtype of the weights."""
    expected = oracle.initial(cell.width, **options)
    for part, values in zip(cell.initial_state(3), expected, strict=True):
        assert part.dtype == torch.float64
        same(part, torch.from_numpy(values).expand(3, -1))


def stream_is_whole(cell: Cell, run: Run) -> None:
    """Steps pushed one by one give the outputs and the state of the whole sequence."""
    x = draw(2)
    y, final = run(cell, x)
    state = cell.initial_state(2)
    for t in range(TIME):
        out, state = one_step(cell, x[:, t], state, **given_of(cell, x[:, t]))
        same(out, y[:, t])
    same(state, final)


def batch_is_one_by_one(cell: Cell, run: Run) -> None:
    """A row's answer does not depend on its neighbours."""
    x, state = draw(), draw_state(cell)
    for reverse in (False, True):
        y, final = run(cell, x, LENGTHS, state, reverse)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = type(state)(*(part[row : row + 1] for part in state))
            y_row, final_row = run(cell, x[row : row + 1, :length], None, alone, reverse)
            same(y[row : row + 1, :length], y_row)
            assert not y[row, length:].any(), "outputs in the padding are not zero"
            same([part[row : row + 1] for part in final], list(final_row))


def split_and_carry_is_unsplit(cell: Cell, run: Run) -> None:
    """A sequence cut in two, the state carried over, gives the answer of the uncut one."""
    x, state = draw(), draw_state(cell)
    y, final = run(cell, x, LENGTHS, state)
    first = LENGTHS.clamp(max=4)
    y_first, between = run(cell, x[:, :4], first, state)
    y_rest, last = run(cell, x[:, 4:], LENGTHS - first, between)
    same(torch.cat([y_first, y_rest], 1), y)
    same(last, final)


def padding_never_matters(cell: Cell, run: Run) -> None:
    """Whatever stands in the padding, NaN included, outputs, states and gradients are the same."""
    inside = (torch.arange(TIME) < LENGTHS[:, None])[..., None]
    x, answers = draw(), []
    for fill in (0.0, float("nan")):
        padded = torch.where(inside, x, fill).requires_grad_()
        for reverse in (False, True):
            y, final = run(cell, padded, LENGTHS, None, reverse)
            leaves = [padded, *cell.parameters()]
            grads = torch.autograd.grad(y.sum() + sum(part.sum() for part in final), leaves)
            answers.append([y, *final, *grads])
    same(answers[2], answers[0])
    same(answers[3], answers[1])


def permuted_batch_is_permuted_answer(cell: Cell, run: Run) -> None:
    """The order of the rows does not matter."""
    x, state, order = draw(), draw_state(cell), torch.tensor([4, 2, 0, 1, 3])
    moved = type(state)(*(part[order] for part in state))
    for lengths in (LENGTHS, torch.full_like(LENGTHS, TIME)):
        y, final = run(cell, x, lengths, state)
        y_moved, final_moved = run(cell, x[order], lengths[order], moved)
        same(y_moved, y[order])
        same(final_moved, [part[order] for part in final])


def reverse_twice_is_identity(cell: Cell, run: Run) -> None:
    """Running turned rows backwards gives the turned answer: every row starts at its own last valid step."""
    x, state = draw(), draw_state(cell)
    y, final = run(cell, x, LENGTHS, state)
    y_turned, final_turned = run(cell, flip(x, LENGTHS), LENGTHS, state, True)
    same(flip(y_turned, LENGTHS), y)
    same(final_turned, final)


def empty_rows_keep_their_state(cell: Cell, run: Run) -> None:
    """A row of length 0: no output, final state = initial state, gradients of zero; also when all rows are empty."""
    for lengths in (LENGTHS, torch.zeros_like(LENGTHS)):
        empty = lengths == 0
        state = type(zero := draw_state(cell))(*(part.requires_grad_() for part in zero))
        x = draw().requires_grad_()
        for reverse in (False, True):
            y, final = run(cell, x, lengths, state, reverse)
            assert not y[empty].any()
            same([part[empty] for part in final], [part[empty] for part in state], 0)
            total = y.sum() + sum(part.sum() for part in final)
            dx, *rest = torch.autograd.grad(total, [x, *state, *cell.parameters()])
            assert not dx[empty].any(), "gradient of an empty row"
            for part in rest[: len(state)]:
                same(part[empty], torch.ones_like(part[empty]), 0)
            if empty.all():
                assert not any(part.any() for part in rest[len(state) :]), "gradient of a weight without a step"


def gradients_are_right(cell: Cell, run: Run, everywhere: bool = False) -> None:
    """Finite differences agree with the gradients of input, initial state and every weight, both directions.

    Along random directions, which any wrong entry changes; or, much more slowly, everywhere: entry by entry.
    """
    names = [name for name, _ in cell.named_parameters()]
    weights = [weight.detach().clone().requires_grad_() for weight in cell.parameters()]
    state = draw_state(cell, 3)
    lengths = torch.tensor([1, 0, 3])
    inputs = [draw(3, 3), *state, *weights]
    for reverse in (False, True):

        def answer(x, *rest, reverse=reverse):
            given = type(state)(*rest[: len(state)])
            new = dict(zip(names, rest[len(state) :], strict=True))
            with torch.nn.utils.stateless._reparametrize_module(cell, new):
                y, final = run(cell, x, lengths, given, reverse)
            return (y, *final)

        assert torch.autograd.gradcheck(answer, [t.detach().requires_grad_() for t in inputs], fast_mode=not everywhere)


def state_dict_goes_round(cell: Cell, run: Run) -> None:
    """A cell with other numbers gives the same answers once it has loaded the state dict; running changes no key."""
    x = draw()
    y, final = run(cell, x, LENGTHS)
    saved = {name: weight.clone() for name, weight in cell.state_dict().items()}
    other = copy.deepcopy(cell)
    with torch.no_grad():
        for tensor in _tensors(other):
            tensor.add_(1)
    assert not torch.equal(run(other, x, LENGTHS)[0], y), "the weights do not reach the answer"
    other.load_state_dict(saved)
    same(run(other, x, LENGTHS), (y, final), 0)
    assert list(cell.state_dict()) == list(saved)


def inputs_are_left_alone(cell: Cell, run: Run) -> None:
    """Neither the input nor the initial state is written to."""
    x, state = draw(), draw_state(cell)
    kept = [x.clone(), *(part.clone() for part in state)]
    with torch.no_grad():
        run(cell, x, LENGTHS, state)
        run(cell, x, None, state)  # nothing is copied on the way
    same([x, *state], kept, 0)


def answers_repeat(cell: Cell, run: Run) -> None:
    """The same question gives the same answer, bit for bit: nothing is remembered on the module."""
    x = draw()
    same(run(cell, x, LENGTHS), run(cell, x, LENGTHS), 0)


def _tensors(module: torch.nn.Module) -> list[Tensor]:
    """Every tensor that the module holds, registered or not."""
    plain = [value for value in vars(module).values() if isinstance(value, Tensor)]
    return [*module.parameters(), *module.buffers(), *plain]


#: laws that need the cell and the run alone
LAWS = [
    stream_is_whole,
    batch_is_one_by_one,
    split_and_carry_is_unsplit,
    padding_never_matters,
    permuted_batch_is_permuted_answer,
    reverse_twice_is_identity,
    empty_rows_keep_their_state,
    gradients_are_right,
    state_dict_goes_round,
    inputs_are_left_alone,
    answers_repeat,
]
#: checks against the NumPy oracle of the cell
ORACLE_CHECKS = [matches_the_oracle, starts_as_the_oracle]
