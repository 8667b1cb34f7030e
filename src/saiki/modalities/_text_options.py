"""The options of the modality text, without what computes: the command line reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TextOptions(BaseModel):
    """How text becomes numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    units: Literal["characters", "words", "bytepair"] | None = Field(
        None, description="What text is cut into [chosen by the task]."
    )
    vocabulary: int | None = Field(
        None, ge=3, description="Units at most, the most frequent; others are unknown [words 30000, bytepair 4000]."
    )
    fewest: int | None = Field(
        None,
        ge=1,
        description="How often a unit must occur to be known [words 2, 1 where <unk> stands for others; else 1].",
    )
    unicode: Literal["none", "nfc", "nfkc"] = Field("nfc", description="Unicode normalisation of text.")
    lower: bool | None = Field(None, description="Turn letters into small ones [yes to classify, else no].")
    tokenizer: Path | None = Field(None, description="A tokenizer.json of the library tokenizers, for units bytepair.")
    split: bool | None = Field(
        None, description="The text has spaces around words and marks already [found in the data]."
    )
    encoding: str | None = Field(None, description="Encoding of text files, such as cp932 [found in the data].")
    embedding: int | None = Field(None, ge=1, description="Numbers in the vector of a unit.")
    vectors: Path | None = Field(None, description="Text file of first vectors: a unit and its numbers in every line.")
    embedding_dropout: float | None = Field(
        None, ge=0, lt=1, description="Share of units left out wherever they stand in a batch [0, to classify 0.1]."
    )
    input_dropout: float | None = Field(
        None, ge=0, lt=1, description="Dropout of the vectors, the same at all steps [0, to classify 0.3]."
    )
