"""Translate: a text for a text, such as the same sentence in another language."""

from __future__ import annotations

from pydantic import Field

from saiki.modalities._text_options import TextOptions


class Translate(TextOptions):
    """How both sides are read, and what stands between encoder and decoder. None: chosen by the data and the budget."""

    embedding: int | None = Field(None, ge=1, description="Numbers in the vector of a unit.")
    input_feeding: bool = Field(
        False, description="The decoder sees its last attentional vector too; one step at a time, slower."
    )
    coverage: bool = Field(False, description="Attention knows what it has attended to; one step at a time, slower.")
    smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the truth's probability that is spread over all.")
    scheduled_sampling: float = Field(
        0.0, ge=0, le=1, description="Share of the decoder's inputs in training that are its own answers, at the end."
    )
    beam: int = Field(5, ge=1, description="Answers followed side by side; 1 takes the likeliest unit every time.")
    length_penalty: float = Field(1.0, ge=0, description="How much longer answers are preferred by the beam.")
    block: int = Field(0, ge=0, description="No run of so many units comes twice in an answer; 0 allows all.")
    longest: int | None = Field(None, ge=1, description="Units of an answer at most [by the length of its source].")
    holdout: float = Field(0.02, ge=0, lt=1, description="Share of the pairs held out for validation, 1000 at most.")


def load_task():
    """The working half of this task, which imports Torch."""
    from saiki.tasks._translating import TranslateTask

    return TranslateTask


OPTIONS = Translate
#: what it is trained on
DATA = (
    "parallel files without their endings (train for train.en and train.de, with --source en --target "
    "de), or a table with the columns --source and --target."
)
#: what stands for the defaults of the network and of training, in words where the data decide
PREFERS = {
    "width": "128, of many pairs 256",
    "layers": "2",
    "bidirectional": "yes",
    "attention": "additive",
    "dropout": "0.3, of very many pairs 0.2",
    "batch": "32, of many pairs 64",
    "learning_rate": "0.002",
    "most_epochs": "60",
    "patience": "6",
    "average": "0.998",
}


def toy(seed: int = 0, pairs: int = 2000) -> list[tuple[str, str]]:
    """Pairs with a planted rule: the words of a sentence in reverse order, every one in capitals."""
    import numpy as np

    rng = np.random.default_rng(seed)
    words = ["ka", "to", "mi", "ru", "se", "no", "ha", "yo"]
    drawn = (rng.choice(words, rng.integers(2, 7)) for _ in range(pairs))
    return [(" ".join(line), " ".join(word.upper() for word in line[::-1])) for line in drawn]
