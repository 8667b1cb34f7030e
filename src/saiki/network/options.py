"""The options of a network: which cell, how wide, how many layers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

#: the fields of `Network` that are handed to the cell; a cell that does not take one says so
CELL_OPTIONS = ("nonlinearity", "projection", "depth")


class Network(BaseModel):
    """A stack of recurrent layers. None stands for a value that the task derives from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: str = Field("gru", description="What one time step computes (saiki list cells).")
    width: int | None = Field(None, ge=1, description="Units per layer.")
    layers: int = Field(2, ge=1, description="Layers stacked.")
    bidirectional: bool = Field(False, description="Run every layer in both directions; such a network cannot stream.")
    residual: bool = Field(True, description="Add each layer's input to its output where both are equally wide.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of units dropped between layers while training.")
    nonlinearity: Literal["tanh", "relu"] | None = Field(
        None, description="Squashing function of the cells elman and indrnn."
    )
    projection: int | None = Field(None, ge=1, description="Width of the projected output of the cell lstm.")
    depth: int | None = Field(None, ge=1, description="Layers inside one step of the cell rhn.")

    def cell_options(self) -> dict[str, Any]:
        """The options meant for the cell: those that were given."""
        return {name: value for name in CELL_OPTIONS if (value := getattr(self, name)) is not None}
