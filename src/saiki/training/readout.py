"""A readout in closed form: ridge regression over all rows that a problem has, in one pass, in place of gradient steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from saiki.reservoir.ridge import Ridge
from saiki.shapes import Float
from saiki.training.checkpoint import Progress

if TYPE_CHECKING:
    from saiki.training.loop import Hook

#: rows of a block per column: more would save little of its factorisation
ROWS_PER_COLUMN = 4
#: rows whose errors are looked at again, left out one by one
MOST_ERRORS = 4000

#: x `[rows, columns]`, y `[rows, outputs]`, and weights `[rows]` or None
Block = tuple[Tensor, Tensor, Tensor | None]


@dataclass(frozen=True)
class Readout:
    """One readout to be found, and what becomes of it."""

    columns: int
    outputs: int
    rows: int  # about as many as the blocks have together
    blocks: Iterable[Block]
    take: Callable[[Tensor, Tensor, Tensor], Any]  # weight [columns, outputs], intercept, errors [some rows, outputs]


def in_closed_form(network: nn.Module, problem: Any) -> bool:
    """Whether nothing but readouts is to be learned, and the problem can say what they see."""
    return getattr(network, "closed_form", False) and hasattr(problem, "readouts")


@torch.no_grad()
def fit_readouts(network: nn.Module, problem: Any, hooks: Sequence[Hook], label: str = "training") -> Progress:
    """Find every readout of a network; a run of one step, whose loss is the generalised cross-validation score."""
    since = time.perf_counter()
    network.eval()
    progress = Progress(1, label=label)
    for hook in hooks:
        hook.started(progress)
    scores = [find(readout, network.ridge) for readout in problem.readouts(network)]  # pyright: ignore[reportArgumentType]
    loss = sum(scores) / len(scores)
    row = {"step": 1, "loss": loss, "score": float(problem.validate(network))}
    progress.step = progress.best_step = 1
    progress.best_score, progress.done = row["score"], True
    progress.curve.append(row)
    progress.seconds = time.perf_counter() - since
    for hook in hooks:
        hook.stepped(progress, loss)
        hook.validated(progress, row)
        hook.ended(progress)
    return progress


def find(readout: Readout, strength: float | None) -> float:
    """One readout, handed on with the errors of rows left out one by one; returns the mean squared one, estimated."""
    ridge, every = Ridge(readout.columns, readout.outputs), max(1, -(-readout.rows // MOST_ERRORS))
    kept: list[tuple[Tensor, Tensor]] = []
    for x, y, weight in _gathered(readout.blocks, ROWS_PER_COLUMN * readout.columns):
        ridge.add(x, y, weight)
        kept.append((x[::every].clone(), y[::every].clone()))
    found = ridge.solve(None if strength is None else (strength,))
    x, y = torch.cat([x for x, _ in kept]), torch.cat([y for _, y in kept])
    errors = _left_out(ridge, x, y - x @ found.weight - found.intercept, found.strength)
    readout.take(found.weight, found.intercept, errors)
    return min(found.scores) if found.scores else float(errors.square().mean())


def _left_out(
    ridge: Ridge, x: Tensor, errors: Float[Tensor, "rows outputs"], strength: float
) -> Float[Tensor, "rows outputs"]:
    """What the errors would be, had each row not been learned from."""
    return errors / (1 - ridge.leverage(x, strength)).clamp_min(1e-3)[:, None]


def _gathered(blocks: Iterable[Block], least: int) -> Iterator[Block]:
    """Blocks joined until they have so many rows."""
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        if sum(len(x) for x, *_ in held) >= least:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(blocks: list[Block]) -> Block:
    weights = [weight for *_, weight in blocks if weight is not None]
    return torch.cat([b[0] for b in blocks]), torch.cat([b[1] for b in blocks]), torch.cat(weights) if weights else None
