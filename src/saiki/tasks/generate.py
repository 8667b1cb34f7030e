"""Generate: a language model of a text, that continues, scores and completes text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from saiki.modalities._text_options import TextOptions


class Generate(TextOptions):
    """What text is read as, and the language model beside its recurrent layers. None: chosen by the data and the budget."""

    documents: Literal["whole", "lines"] = Field(
        "whole", description="A text file is one text, or each of its lines is a document."
    )
    holdout: float = Field(0.1, ge=0, lt=1, description="Share of the text held out at its end, for validation.")
    tied: bool | None = Field(None, description="The vectors of the units are the weights of their scores too.")
    softmax: Literal["full", "sampled", "adaptive"] | None = Field(
        None,
        description="Of a large vocabulary: sampled, training scores the frequent units and draws some of the others; adaptive, "
        "rare units share few numbers, not tied [sampled above 6000 units, else full].",
    )
    ngrams: int | None = Field(
        None,
        ge=1,
        le=16,
        description="Units of the longest groups with a vector of their own; 1: none [of characters up to 6, else 1].",
    )
    ngram_fewest: int | None = Field(
        None,
        ge=1,
        description="How often a group of units must occur to have a vector [5 to 20, by how often the text is read].",
    )
    ngram_vectors: int | None = Field(
        None,
        ge=1,
        description="Groups with a vector at most, the most frequent [200000, fewer where vectors are wider than 64 numbers].",
    )
    ngram_dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of the places without vectors of groups in training [0 to 0.5, by how often the text is read].",
    )
    counted: bool = Field(
        True,
        description="Counted n-grams of the text have a share in what is foreseen, as held-out text says.",
    )
    output_dropout: float | None = Field(None, ge=0, lt=1, description="Dropout below the scores [as --dropout].")
    activation_regularisation: float = Field(0.0, ge=0, description="Weight of the mean square of the outputs.")
    temporal_regularisation: float = Field(0.0, ge=0, description="Weight of the mean square of their change per step.")
    from_: Path | None = Field(None, description="Model to go on from, on this text: a style, a dialect, a domain.")


def load_task():
    """The working half of this task, which imports Torch."""
    from saiki.tasks._generating import GenerateTask

    return GenerateTask


OPTIONS = Generate
#: what it is trained on
DATA = "a text file, a folder or archive of them, or a table with a column of texts, --source."
#: what stands for the defaults of the network and of training, in words where the data decide
PREFERS = {
    "cell": "gru",
    "width": "64 to 768, what the budget can train on this text",
    "layers": "2",
    "dropout": "0 to 0.25 of characters, to 0.5 of words, by how often the text is read",
    "batch": "16 to 64, by the length of the text",
    "bptt": "100",
    "learning_rate": "0.0015 to 0.006, less above 384 units",
    "average": "0.998",
    "weight_decay": "0.01 to 0.3, by how often the text is read and the steps",
    "most_epochs": "60",
    "validations": "10",
    "patience": "4",
    "checkpoint_every": "200",
}


def toy(seed: int = 0, length: int = 20_000) -> str:
    """A text with a planted rule: words are drawn evenly, and every word is followed by itself backwards.

    Whoever remembers a word knows the letters of the next one: 4 of every 10 characters are certain.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(-(-length // 10))]
    return "".join(f"{word} {word[::-1]}\n" for word in words)[:length]
