"""Regress: one number per series, from its channels over time."""

from __future__ import annotations

from pydantic import Field

from saiki.tasks._label_options import PREFERRED, LabelOptions


class Regress(LabelOptions):
    """A number that a series stands for. None stands for a value that is derived from the data."""

    robust: bool = Field(False, description="Lower the absolute instead of the squared error: the median is answered.")


def load_task():
    """The working half of this task, which imports Torch."""
    from saiki.tasks._regressing import RegressTask

    return RegressTask


OPTIONS = Regress
#: what it is trained on
DATA = (
    "a table with one row per series and time (`unique_id`, `ds`, the channels, the number `y` on every "
    "row of a series or on one), or one row per series, the number first (.tsv, .ts)."
)
#: what stands for the defaults of the network and of training, in words where the data decide
PREFERS = PREFERRED


def toy(seed: int = 0, series: int = 160):
    """A long table with a planted answer: how many steps lie between the two bumps of a noisy series."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    frames = []
    for number in range(series):
        steps = int(rng.integers(24, 41))
        apart = int(rng.integers(3, 16))
        start = int(rng.integers(1, steps - apart - 2))
        x = 0.2 * rng.normal(size=steps)
        x[[start, start + apart]] += 3
        names = {"unique_id": [f"s{number}"] * steps, "ds": np.arange(steps), "x": x, "y": [float(apart)] * steps}
        frames.append(pl.DataFrame(names))
    return pl.concat(frames)
