"""Train any Torch module on arrays: the shortest way from numbers to a trained recurrent layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from saiki.errors import DataError, OptionError, near_misses, refused
from saiki.sequence import Batch, Ragged
from saiki.training.bptt import Carry, Cuts
from saiki.training.checkpoint import Progress
from saiki.training.loop import Hook
from saiki.training.loop import fit as run
from saiki.training.options import Training

#: sequences that are answered together
TOGETHER = 1024


def _compared(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss of answers and targets of one shape; a last axis of 1 may be left out of either."""

    def compare(answers: Tensor, targets: Tensor) -> Tensor:
        if answers.shape != targets.shape:
            kept = [
                part.shape[:-1] if part.dim() > 1 and part.shape[-1] == 1 else part.shape for part in (answers, targets)
            ]
            if kept[0] != kept[1]:
                shapes = f"answers {tuple(answers.shape)} and the targets are {tuple(targets.shape)}"
                raise DataError(f"the network {shapes}; expected one shape")
            targets = targets.reshape(answers.shape)
        return loss(answers, targets.to(answers.dtype))

    return compare


def _labelled(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy; labels may be whole numbers of any type."""
    return nn.functional.cross_entropy(scores, labels if labels.is_floating_point() else labels.long())


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": _compared(nn.functional.mse_loss),
    "mae": _compared(nn.functional.l1_loss),
    "cross_entropy": _labelled,
}


class ArrayProblem:
    """Sequences and targets in memory; every epoch sees each of them once, in an order drawn from the seed."""

    def __init__(
        self,
        x: Any,
        y: Any,
        loss: Callable[[Tensor, Tensor], Tensor],
        batch: int,
        seed: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.dtype = dtype = dtype or torch.get_default_dtype()
        self.x = x if isinstance(x, Ragged) else _tensor(x, dtype)
        self.y, self.objective, self.batch, self.seed = _tensor(y, dtype), loss, batch, seed
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
        return _inputs(self.x, rows, self.dtype) | {"y": self.y[torch.from_numpy(rows)]}

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


class CutProblem:
    """Sequences with a target at every step, cut every `size` steps; one optimiser step per cut, the state carried on.

    The network is called as `network(x, states, lengths=…)` and gives its answers and its states; the objective sees the
    valid steps of a cut, one after the other. No more than one cut is ever held for the way back.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        loss: Callable[[Tensor, Tensor], Tensor],
        batch: int,
        size: int,
        seed: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.x, self.y, self.objective, self.dtype = _ragged(x), _ragged(y), loss, dtype or torch.get_default_dtype()
        if not np.array_equal(self.x.lengths, self.y.lengths):
            raise DataError(
                f"bptt: got targets for {len(self.y)} sequences of {self.y.lengths.sum()} steps beside {len(self.x)} of "
                f"{self.x.lengths.sum()}; expected one target for every step of every sequence"
            )
        self.cuts, self.carry = Cuts(self.x.lengths, batch, size, seed), Carry()
        self.epoch = self.cuts.epoch
        self.valid: CutProblem | None = None

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Any]:
        rows, start, first = self.cuts.at(step)
        if first:
            self.carry.reset()
        return self._cut(rows, start)

    def _cut(self, rows: np.ndarray, start: int) -> dict[str, Tensor]:
        x, y = (_padded(data, rows, start, self.cuts.size, self.dtype) for data in (self.x, self.y))
        y = y.values[torch.arange(y.values.shape[1]) < y.lengths[:, None]]
        whole = not y.is_floating_point() and y.shape[1] == 1
        full = {} if bool((x.lengths == x.values.shape[1]).all()) else {"lengths": x.lengths}
        return {"x": x.values, "y": y[:, 0] if whole else y} | full

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        loss, states = self._answer(network, batch, self.carry.given(network, batch["x"]))
        self.carry.keep(states)
        return loss

    def _answer(self, network: nn.Module, batch: dict[str, Tensor], states: Any) -> tuple[Tensor, Any]:
        x, lengths = batch["x"], batch.get("lengths")
        if lengths is None:
            out, states = network(x, states)
            return self.objective(out.flatten(0, 1), batch["y"]), states
        out, states = network(x, states, lengths=lengths)
        inside = torch.arange(x.shape[1], device=out.device) < lengths.to(out.device)[:, None]
        return self.objective(out[inside], batch["y"]), states

    def validate(self, network: nn.Module) -> float:
        """The loss on the validation data, weighted by steps, states carried through; NaN without any."""
        if self.valid is None:
            return float("nan")
        total, found, states = 0.0, self.valid, None
        for step in range(found.epoch):
            rows, start, first = found.cuts.at(step)
            batch = found._cut(rows, start)
            loss, states = found._answer(network, batch, None if first else states)
            total += float(loss) * len(batch["y"])
        return total / int(found.x.lengths.sum())


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
        network: called with `x [batch, time, features]`, and with `lengths=` for ragged sequences. With `bptt=N`, also
            with the states of the cut before as second argument; it then gives its answers and its states
            (`saiki.nn.StepReadout`, `saiki.nn.Recurrent`, any recurrent layer that is batch-first).
        x: an array `[sequences, time, features]`, or `Ragged`.
        y: an array whose rows are the targets; with `bptt`, a target for every step: `[sequences, time, …]` or `Ragged`.
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
    try:
        training = Training(**options)
    except ValidationError as error:
        raise refused(error) from None
    objective, dtype = LOSSES[loss] if isinstance(loss, str) else loss, _dtype(network)
    if training.bptt is not None and any(getattr(part, "bidirectional", False) for part in network.modules()):
        raise OptionError(
            "bptt carries states from cut to cut, and a second direction begins at the end; expected one direction"
        )

    def made(x: Any, y: Any) -> Any:
        if training.bptt is None:
            return ArrayProblem(x, y, objective, training.batch, training.seed, dtype)
        return CutProblem(x, y, objective, training.batch, training.bptt, training.seed, dtype)

    problem = made(x, y)
    if valid is not None:
        problem.valid = made(*valid)
    return run(network, problem, training, hooks=hooks)


def predict(network: nn.Module, x: np.ndarray | Tensor | Ragged) -> np.ndarray:
    """The network's answers for sequences `x`, as an array whose rows are the answers.

    A network that gives its states too, as one trained with `bptt` does, answers every step: `[sequences, time, …]`, of ragged
    sequences the valid steps one after the other, `[steps, …]`.
    """
    network.eval()
    rows, parts, dtype = np.arange(len(x)), [], _dtype(network)
    with torch.no_grad():
        for start in range(0, len(rows), TOGETHER):
            batch = _inputs(x, rows[start : start + TOGETHER], dtype)
            answers, lengths = network(batch.pop("x"), **batch), batch.get("lengths")
            if isinstance(answers, tuple):
                answers = answers[0]
                if lengths is not None:
                    answers = answers[torch.arange(answers.shape[1])[None] < lengths[:, None]]
            parts.append(answers.cpu())
    return torch.cat(parts).numpy() if parts else np.empty(0)


def _dtype(network: nn.Module) -> torch.dtype:
    """In what a network computes: the type of its first weights."""
    found = (weight.dtype for weight in network.parameters() if weight.is_floating_point())
    return next(found, torch.get_default_dtype())


def _inputs(x: Any, rows: np.ndarray, dtype: torch.dtype) -> dict[str, Tensor]:
    """What a network is called with for some of the sequences."""
    if isinstance(x, Ragged):
        batch = Batch.of(x.take(rows), dtype=dtype)
        return {"x": batch.values, "lengths": batch.lengths}
    return {"x": _tensor(x, dtype)[torch.from_numpy(rows)]}


def _ragged(values: Any) -> Ragged:
    """Sequences, from an array `[sequences, time]` or `[sequences, time, numbers]` too."""
    if isinstance(values, Ragged):
        return values
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim not in (2, 3):
        raise DataError(f"bptt: got an array of shape {array.shape}; expected [sequences, time] or with numbers behind")
    return Ragged(array.reshape(array.shape[0] * array.shape[1], -1), np.full(len(array), array.shape[1]))


def _padded(data: Ragged, rows: np.ndarray, start: int, size: int, dtype: torch.dtype) -> Batch:
    """The steps from `start` on of some sequences, `size` at most, padded."""
    lengths = (data.lengths[rows] - start).clip(0, size)
    ends = np.cumsum(lengths)
    steps = np.arange(lengths.sum()) + np.repeat(data.starts[rows] + start - (ends - lengths), lengths)
    return Batch.of(Ragged(data.values[steps], lengths), dtype=dtype)


def _tensor(values: Any, dtype: torch.dtype) -> Tensor:
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # Torch cannot share memory that is read-only, such as a sliding window's
    tensor = torch.as_tensor(values)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
