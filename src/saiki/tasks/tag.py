"""Tag: a label for every word of a sentence (names, parts of speech), or for every step of a series (events)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Tag(BaseModel):
    """One label per step. None stands for a value that is derived from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crf: bool = Field(
        False, description="Judge the labels of a sequence together (a conditional random field); cannot stream."
    )
    group: str | None = Field(
        None, description="Column of what must stay together, such as the patient of a recording."
    )
    fewest: int | None = Field(None, ge=1, description="How often a word must occur to be known [2].")
    embedding: int | None = Field(None, ge=1, description="Numbers in the vector of a word [100].")
    vectors: Path | None = Field(None, description="Text file of first vectors: a unit and its numbers in every line.")
    embedding_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of words left out wherever they stand in a batch."
    )
    input_dropout: float = Field(0.3, ge=0, lt=1, description="Dropout of the vectors, the same at all steps.")
    normalise: Literal["train", "series", "both", "none"] = Field(
        "train", description="Units of a channel: the training data's, the series' own, both side by side, as it is."
    )
    fill: Literal["zero", "last"] = Field(
        "last", description="What stands for a missing value: the mean, or the last one seen; it is flagged anyway."
    )
    differences: bool | None = Field(
        None, description="Tell the change since the step before too (default: unless values are missing)."
    )
    holdout: float = Field(0.1, ge=0, lt=1, description="Share of the series held out for validation.")


def load_task():
    """The working half of this task, which imports Torch."""
    from saiki.tasks._tagging import TagTask

    return TagTask


OPTIONS = Tag
#: what it is trained on
DATA = (
    "a CoNLL file (.conll, .iob2, .bio: the word first, the label last; .conllu), or a table with one row"
    " per word or step (`unique_id`, `ds`, words or channels, the label `y`)."
)
#: what stands for the defaults of the network and of training, in words where the data decide
PREFERS = {
    "width": "64, of many words 128",
    "layers": "1",
    "bidirectional": "yes",
    "dropout": "0.3",
    "batch": "16, of many words 32",
    "learning_rate": "0.004",
    "most_epochs": "100, of many words 30",
    "average": "0.99",
}


def toy(seed: int = 0, sentences: int = 200):
    """Sentences with a planted rule: one or two names between `the` and `is` are a span; the names themselves say nothing."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    names, rows = ["ka", "to", "mi", "ru", "se"], []
    for number in range(sentences):
        words: list[tuple[str, str]] = []
        for _ in range(int(rng.integers(1, 4))):
            before, behind = str(rng.choice(["the", "at"])), str(rng.choice(["is", "on"]))
            inside = [str(name) for name in rng.choice(names, rng.integers(1, 3))]
            labels = ["B-X", "I-X"] if (before, behind) == ("the", "is") else ["O", "O"]
            words += [(before, "O"), *zip(inside, labels, strict=False), (behind, "O")]
        rows += [(number, place, word, label) for place, (word, label) in enumerate(words)]
    return pl.DataFrame(rows, schema=["unique_id", "ds", "word", "y"], orient="row")
