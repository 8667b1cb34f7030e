"""Train any Torch module on arrays: the shortest way from numbers to a trained recurrent layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saiki.errors import DataError, OptionError, near_misses
from saiki.sequence import Batch, Ragged
from saiki.training.checkpoint import Progress
from saiki.training.loop import Hook
from saiki.training.loop import fit as run
from saiki.training.options import Training

#: sequences that are answered together
TOGETHER = 1024
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "mae": nn.functional.l1_loss,
    "cross_entropy": nn.functional.cross_entropy,
}


class ArrayProblem:
    """Sequences and targets in memory; every epoch sees each of them once, in an order drawn from the seed."""

    def __init__(self, x: Any, y: Any, loss: Callable[[Tensor, Tensor], Tensor], batch: int, seed: int) -> None:
        self.x = x if isinstance(x, Ragged) else _tensor(x)
        self.y, self.objective, self.batch, self.seed = _tensor(y), loss, batch, seed
        if len(x) != len(y) or not len(x):
            raise DataError(f"got {len(x)} sequences and {len(y)} targets; expected as many of both, and at least one")
        self.epoch = -(-len(x) // batch)
        self.valid: ArrayProblem | None = None
        self._order: tuple[int, np.ndarray] | None = None

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Tensor]:
        epoch, part = divmod(step, self.epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.x))
        return self._take(self._order[1][part * self.batch : (part + 1) * self.batch])

    def _take(self, rows: np.ndarray) -> dict[str, Tensor]:
        return _inputs(self.x, rows) | {"y": self.y[torch.from_numpy(rows)]}

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        given = {"lengths": batch["lengths"]} if "lengths" in batch else {}
        return self.objective(network(batch["x"], **given), batch["y"])

    def validate(self, network: nn.Module) -> float:
        """The loss on the validation data, weighted by rows; NaN without any."""
        if self.valid is None:
            return float("nan")
        total, rows = 0.0, np.arange(len(self.valid.x))
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            total += float(self.loss(network, self.valid._take(part))) * len(part)
        return total / len(rows)


def fit(
    network: nn.Module,
    x: np.ndarray | Tensor | Ragged,
    y: np.ndarray | Tensor,
    *,
    loss: str | Callable[[Tensor, Tensor], Tensor] = "mse",
    valid: tuple[Any, Any] | None = None,
    hooks: Sequence[Hook] = (),
    **options: Any,
) -> Progress:
    """Train `network` in place on sequences `x` and targets `y`; the result's `curve` holds the losses.

    Args:
        network: called with `x [batch, time, features]`, and with `lengths=` for ragged sequences.
        x: an array `[sequences, time, features]`, or `Ragged`.
        y: an array whose rows are the targets.
        loss: mse, mae, cross_entropy, or any function of output and target.
        valid: sequences and targets to validate on; the best weights are then kept.
        options: fields of `saiki.Training`, such as `epochs=10, batch=32, learning_rate=1e-3`.

    Raises:
        DataError: `x` and `y` differ in length, or are empty. OptionError: an unknown loss or option.
    """
    for name in options:
        if name not in Training.model_fields:
            raise OptionError(f"unknown option {name!r}{near_misses(name, Training.model_fields)}")
    if isinstance(loss, str) and loss not in LOSSES:
        raise OptionError(f"unknown loss {loss!r}{near_misses(loss, LOSSES)} (there are: {', '.join(LOSSES)})")
    training = Training(**options)
    objective = LOSSES[loss] if isinstance(loss, str) else loss
    problem = ArrayProblem(x, y, objective, training.batch, training.seed)
    if valid is not None:
        problem.valid = ArrayProblem(*valid, objective, training.batch, training.seed)
    return run(network, problem, training, hooks=hooks)


def predict(network: nn.Module, x: np.ndarray | Tensor | Ragged) -> np.ndarray:
    """The network's answers for sequences `x`, as an array whose rows are the answers."""
    network.eval()
    rows, parts = np.arange(len(x)), []
    with torch.no_grad():
        for start in range(0, len(rows), TOGETHER):
            batch = _inputs(x, rows[start : start + TOGETHER])
            parts.append(network(batch.pop("x"), **batch).cpu())
    return torch.cat(parts).numpy() if parts else np.empty(0)


def _inputs(x: Any, rows: np.ndarray) -> dict[str, Tensor]:
    """What a network is called with for some of the sequences."""
    if isinstance(x, Ragged):
        batch = Batch.of(x.take(rows), dtype=torch.get_default_dtype())
        return {"x": batch.values, "lengths": batch.lengths}
    return {"x": _tensor(x)[torch.from_numpy(rows)]}


def _tensor(values: Any) -> Tensor:
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # Torch cannot share memory that is read-only, such as a sliding window's
    tensor = torch.as_tensor(values)
    return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor
