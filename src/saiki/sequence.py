"""Many sequences as numbers: ragged in NumPy while they are data, padded or packed in Torch while they are computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from saiki.errors import DataError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Ragged:
    """Sequences of different lengths, one after the other: `values [steps, features]` and `lengths [batch]`.

    `gap [steps]` is the time since the previous step of the same sequence; `observed [steps, features]` says which
    features were really measured. Both are data, where the data has them. Lengths of 0 and 1 are legal.
    """

    values: np.ndarray
    lengths: np.ndarray
    gap: np.ndarray | None = None
    observed: np.ndarray | None = None

    def __post_init__(self) -> None:
        lengths = np.asarray(self.lengths, dtype=np.int64)
        object.__setattr__(self, "lengths", lengths)
        if self.values.ndim != 2 or lengths.ndim != 1:
            raise DataError(
                f"ragged data: got values of shape {self.values.shape} and lengths of shape {lengths.shape}; "
                "expected values [steps, features] and lengths [batch]"
            )
        if (lengths < 0).any():
            raise DataError(f"ragged data: got a length of {lengths.min()}; expected lengths of 0 or more")
        if lengths.sum() != len(self.values):
            raise DataError(f"ragged data: lengths sum to {lengths.sum()}, but there are {len(self.values)} steps")
        if self.gap is not None and self.gap.shape != (len(self.values),):
            raise DataError(f"ragged data: got a gap of shape {self.gap.shape}; expected ({len(self.values)},)")
        if self.observed is not None and self.observed.shape != self.values.shape:
            raise DataError(f"ragged data: got observed of shape {self.observed.shape}; expected {self.values.shape}")

    @classmethod
    def of(cls, sequences: Iterable[np.ndarray]) -> Ragged:
        """From arrays `[time, features]` (or `[time]`, taken as one feature)."""
        rows = [np.asarray(s)[:, None] if np.ndim(s) == 1 else np.asarray(s) for s in sequences]
        if not rows:
            return cls(np.empty((0, 0)), np.empty(0, np.int64))
        widths = {r.shape[1] for r in rows}
        if len(widths) != 1:
            raise DataError(f"ragged data: sequences have {sorted(widths)} features; expected the same number in all")
        return cls(np.concatenate(rows), np.array([len(r) for r in rows]))

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each sequence begins: `[batch]`."""
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]]).astype(np.int64) if len(self) else self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        """The values of one sequence: `[time, features]`."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start = self.starts[index]
        return self.values[start : start + self.lengths[index]]

    def take(self, indices: Sequence[int] | np.ndarray) -> Ragged:
        """The sequences at `indices`, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        lengths = self.lengths[indices]
        ends = np.cumsum(lengths)
        steps = np.arange(lengths.sum()) + np.repeat(self.starts[indices] - (ends - lengths), lengths)
        part = lambda a: None if a is None else a[steps]  # noqa: E731
        return Ragged(self.values[steps], lengths, part(self.gap), part(self.observed))


@dataclass(frozen=True)
class Batch:
    """A padded group of sequences: `values [batch, time, features]` and `lengths [batch]` (int64, on the CPU).

    What stands in the padding never matters. The mask is derived by `padding_mask`, never stored.
    """

    values: torch.Tensor
    lengths: torch.Tensor
    gap: torch.Tensor | None = None
    observed: torch.Tensor | None = None

    @classmethod
    def of(cls, ragged: Ragged, dtype: torch.dtype | None = None) -> Batch:
        """Pad ragged data at the end with zeros."""
        import torch

        time = int(ragged.lengths.max(initial=0))
        inside = np.arange(time) < ragged.lengths[:, None]  # [batch, time]

        def pad(a: np.ndarray | None) -> torch.Tensor | None:
            if a is None:
                return None
            padded = np.zeros(inside.shape + a.shape[1:], a.dtype)
            padded[inside] = a
            tensor = torch.from_numpy(padded)
            return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor

        values = pad(ragged.values)
        assert values is not None
        return cls(values, torch.from_numpy(ragged.lengths.copy()), pad(ragged.gap), pad(ragged.observed))

    def ragged(self) -> Ragged:
        """Back to ragged data, without the padding."""
        inside = padding_mask(self.lengths, self.values.shape[1]).cpu().numpy()
        gap = None if self.gap is None else self.gap.detach().cpu().numpy()[inside]
        observed = None if self.observed is None else self.observed.detach().cpu().numpy()[inside]
        return Ragged(self.values.detach().cpu().numpy()[inside], self.lengths.cpu().numpy(), gap, observed)


def padding_mask(lengths: torch.Tensor, time: int) -> torch.Tensor:
    """True where a step is valid: `[batch, time]` from `lengths [batch]`."""
    import torch

    return torch.arange(time, device=lengths.device) < lengths[:, None]


def carried(values: np.ndarray, missing: np.ndarray, first: np.ndarray) -> np.ndarray:
    """`values [steps, n]` where a missing one is the last that the series has shown, NaN before there is one.

    first  [steps] which step begins a series
    """
    rows = np.arange(len(values))[:, None]
    start = np.maximum.accumulate(np.where(first[:, None], rows, 0), 0)
    last = np.maximum.accumulate(np.where(missing, -1, rows), 0)
    found = np.take_along_axis(values, np.maximum(last, 0), 0) if len(values) else values
    return np.where(last >= start, found, np.nan)
