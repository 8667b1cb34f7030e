"""Intervals of any level from errors on held-out windows: split-conformal, in units that the model gives each window and step."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saiki.errors import ModelError

#: errors that an end of an interval is taken from; where a step has fewer, those of the steps beside it join in
ENOUGH = 400
#: share of the rows that calibrated windows had before them, below which there is no interval
SHARE = 0.75


@dataclass
class Calibration:
    """Signed errors of held-out windows `[windows, horizon]`, NaN where the truth is missing; None: nothing was held out.

    An error is (x - x̂) / width with x in window units, and the width below or above the point that the model itself gave
    (1 without trained quantiles). Of n exchangeable errors, the interval between the ⌊(n + 1) α/2⌋-th and the
    ⌈(n + 1) (1 - α/2)⌉-th holds the next one with probability 1 - α at least; it always holds the point.

    `least` is how many rows these windows had before them at least. An interval after much fewer would promise what nothing here
    has shown.

    Source: split conformal: Lei et al. 2018 (arXiv 1604.04173), here with both tails apart and with scaled errors.
    """

    errors: np.ndarray | None = None
    least: int = 0

    def too_few(self, rows: np.ndarray) -> np.ndarray:
        """Whether so many rows of history are too few for an interval: `[windows]`."""
        return rows < (SHARE * self.least if self.errors is not None else 0)

    def ends(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """How far the interval reaches below and above the point, in those widths: `[horizon]`, signed."""
        if self.errors is None:
            raise ModelError(
                f"this model knows no errors on held-out windows, so it has no interval of {level:g} %; expected a level "
                "that it was trained with (--level), or a model trained with something held out (--holdout)"
            )
        pooled = [self._near(step) for step in range(self.errors.shape[1])]
        tail = (1 - level / 100) / 2
        low = [_ranked(e, math.floor((len(e) + 1) * tail)) for e in pooled]
        high = [_ranked(e, math.ceil((len(e) + 1) * (1 - tail))) for e in pooled]
        return np.minimum(low, 0.0), np.maximum(high, 0.0)

    def paths(self, samples: int, names: Sequence[Any]) -> np.ndarray:
        """Whole error paths of held-out windows, drawn for each series by itself: `[series, samples, horizon]`."""
        if self.errors is None:
            raise ModelError("this model knows no errors on held-out windows to draw paths from; train with --holdout")
        whole = self.errors[np.isfinite(self.errors).all(1)]
        whole = whole if len(whole) else np.nan_to_num(self.errors)
        return whole[np.stack([rng.integers(len(whole), size=samples) for rng in generators(names)])]

    def _near(self, step: int) -> np.ndarray:
        """The errors of a step, and of as many steps around it as it takes, sorted."""
        assert self.errors is not None
        reach = 0
        while True:
            some = self.errors[:, max(0, step - reach) : step + reach + 1]
            known = some[np.isfinite(some)]
            if len(known) >= ENOUGH or reach >= self.errors.shape[1]:
                return np.sort(known)
            reach += 1

    def files(self) -> dict[str, bytes]:
        """What stands beside the configuration."""
        if self.errors is None:
            return {}
        beside = io.BytesIO()
        np.save(beside, self.errors.astype(np.float32), allow_pickle=False)
        return {"calibration.npy": beside.getvalue()}

    @classmethod
    def read(cls, files: dict[str, bytes], least: int) -> Calibration:
        """From those files, and how many rows they had before them."""
        data = files.get("calibration.npy")
        return cls(None if data is None else np.load(io.BytesIO(data), allow_pickle=False).astype(float), least)


def generators(names: Sequence[Any]) -> Iterator[np.random.Generator]:
    """Random numbers of each series, by its name alone: the same whatever others are forecast with it, in whatever order."""
    return (np.random.default_rng(zlib.crc32(str(name).encode())) for name in names)


def mirrored(errors: np.ndarray) -> np.ndarray:
    """Every error path with both signs: intervals as far below the point as above it, in the model's own widths.

    For few series: the windows of one series overlap, so that one good or bad year would shift all its intervals.
    """
    return np.concatenate([errors, -errors])


def _ranked(rising: np.ndarray, rank: int) -> float:
    """The error of a rank that counts from 1; beyond both ends the outermost; 0 where there is none."""
    return float(rising[min(max(rank, 1), len(rising)) - 1]) if len(rising) else 0.0
