"""Options that the tasks classify and regress share: how series are read, pooled, augmented and averaged."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: how states become one vector, as the network knows them
POOLS = ("last", "mean", "max", "attention")
#: changes of a series that leave its answer as it is
CHANGES = ("noise", "scale", "mask", "crop")

#: what stands for the defaults of the network and of training, in words where the data decide
PREFERRED = {
    "width": "32 to 96, by the number of series",
    "bidirectional": "yes",
    "dropout": "0.3",
    "batch": "16 to 64, by the number of series",
    "learning_rate": "0.004",
    "most_epochs": "150, of many series 40",
    "average": "0.99",
}


class LabelOptions(BaseModel):
    """One answer per series. None stands for a value that is derived from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    static: tuple[str, ...] = Field((), description="Columns that do not change within a series.")
    group: str | None = Field(
        None, description="Column of what must stay together, such as the patient of a recording."
    )
    channels: int = Field(
        1, ge=1, description="Numbers per step in a table of one row per series: x1 y1 x2 y2 … are 2."
    )
    patch: int | None = Field(None, ge=1, description="Steps that enter the recurrence together, as one token.")
    normalise: Literal["train", "series", "both", "none"] = Field(
        "train", description="Units of a channel: the training data's, the series' own, both side by side, as it is."
    )
    fill: Literal["zero", "last"] = Field(
        "last", description="What stands for a missing value: the mean, or the last one seen; it is flagged anyway."
    )
    differences: bool | None = Field(
        None, description="Tell the change since the step before too (default: unless values are missing)."
    )
    pooling: tuple[str, ...] = Field(
        ("mean", "max", "last"), description="How all states become one answer: any of last, mean, max, attention."
    )
    augment: tuple[str, ...] | None = Field(
        None, description="Changes drawn in training: any of noise, scale, mask, crop; or none (default: by the data)."
    )
    ensemble: int | None = Field(
        None,
        ge=1,
        le=10,
        description="Networks that are averaged; each is validated on a part that it has not seen [5, of many series 3 or 1].",
    )

    baseline_share: bool = Field(
        True,
        description="A linear model has a share in the answers, as what is held out says: of documents on their words.",
    )

    @field_validator("static", "pooling", "augment", mode="before")
    @classmethod
    def _listed(cls, value):
        return (value,) if isinstance(value, str) else value if value is None else tuple(value)

    @field_validator("pooling")
    @classmethod
    def _known_pools(cls, value):
        return _known(value, POOLS, at_least=1)

    @field_validator("augment")
    @classmethod
    def _known_changes(cls, value):
        return () if value == ("none",) else value if value is None else _known(value, CHANGES, at_least=0)


def _known(value, choices, at_least):
    if len(value) < at_least or len(set(value)) < len(value) or any(v not in choices for v in value):
        raise ValueError(f"expected different ones of {', '.join(choices)}")
    return value
