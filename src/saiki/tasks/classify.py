"""Classify: one label per series, from its channels over time, or per document, from its text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from saiki.modalities._text_options import TextOptions
from saiki.tasks._label_options import PREFERRED, LabelOptions


class Classify(LabelOptions, TextOptions):
    """Which of several classes a series is of. None stands for a value that is derived from the data."""

    class_weight: Literal["none", "balanced"] = Field(
        "none", description="Whether every series weighs alike in training, or every class."
    )
    calibrate: bool = Field(
        True, description="Fit a temperature on validation, so that probabilities mean what they say."
    )
    multi_label: bool = Field(
        False, description="A document has any number of labels: the target is a list, or text with a separator in it."
    )
    hierarchical: bool = Field(
        False,
        description="Read a document sentence by sentence: words, then sentences, attention over both (--pooling: over these).",
    )
    separator: str | None = Field(
        None,
        min_length=1,
        description="What stands between the labels of a document [found: a bar, semicolon or comma].",
    )


def load_task():
    """The working half of this task, which imports Torch."""
    from saiki.tasks._classifying import ClassifyTask

    return ClassifyTask


OPTIONS = Classify
#: what it is trained on
DATA = (
    "a table with one row per series and time (`unique_id`, `ds`, the channels, the label `y` on every "
    "row of a series or on one), or one row per series, the label first (UCR .tsv, .ts); or a table with "
    "a column of texts, --source, and one of labels, --target; or texts as a folder or archive with a folder per class, or as "
    "lines behind their labels."
)
#: what stands for the defaults of the network and of training, in words where the data decide
PREFERS = PREFERRED | {
    "layers": "2, of documents 1",
    "dropout": "0.3, of documents 0.5",
    "batch": "16 to 64, by the number of examples",
    "learning_rate": "0.004, of documents 0.003",
    "most_epochs": "25 to 150, by the number of examples",
}


def toy(seed: int = 0, series: int = 120):
    """A long table with a planted answer: two channels of noise; the class is which of them has its bump first.

    Lengths from 20 to 40. Means, spreads and extremes say nothing; summaries of when something happens say a part.
    """
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    frames = []
    for number in range(series):
        steps = int(rng.integers(20, 41))
        early, late = np.sort(rng.choice(np.arange(3, steps - 3, 5), 2, replace=False))
        first = bool(rng.integers(2))
        x = 0.3 * rng.normal(size=(steps, 2))
        x[early : early + 3, 0 if first else 1] += 2
        x[late : late + 3, 1 if first else 0] += 2
        label = "first" if first else "second"
        names = {"unique_id": [f"s{number}"] * steps, "ds": np.arange(steps), "a": x[:, 0], "b": x[:, 1]}
        frames.append(pl.DataFrame(names | {"y": [label] * steps}))
    return pl.concat(frames)
