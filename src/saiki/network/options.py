"""The options of a network: which cell, how wide, how many layers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: the fields of `Network` that are handed to the cell; a cell that does not take one says so
CELL_OPTIONS = (
    "nonlinearity",
    "projection",
    "depth",
    "peephole",
    "coupled",
    "forget_bias",
    "reset",
    "recurrent_init",
    "chrono",
    "layer_norm",
    "zoneout",
    "state_dropout",
    "weight_drop",
    "transition",
    "deep_output",
    "kernel",
    "output_gate",
    "leak",
    "spectral_radius",
    "density",
    "input_scale",
    "bias_scale",
)


class Network(BaseModel):
    """A stack of recurrent layers. None stands for a value that the task derives from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: str = Field("gru", description="What one time step computes (saiki list cells); or one per layer: lstm,gru.")
    width: int | None = Field(None, ge=1, description="Units per layer.")
    layers: int = Field(2, ge=1, description="Layers stacked.")
    bidirectional: bool = Field(False, description="Run every layer in both directions; such a network cannot stream.")
    merge: Literal["concatenate", "sum", "mean"] = Field(
        "concatenate", description="How the outputs of both directions become one."
    )
    connection: Literal["plain", "residual", "highway", "dense"] = Field(
        "residual",
        description="What goes up from a layer: its output, with its input added, gated (both where equally wide) or beside it.",
    )
    residual: bool = Field(True, description="Short for --connection residual; --no-residual: --connection plain.")
    norm: Literal["none", "before", "after"] = Field(
        "none", description="Layer norm between layers: before every layer but the first, or after every layer."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of units dropped between layers while training.")
    locked: bool = Field(False, description="Dropout between layers drops the same units at all steps of a sequence.")
    attention: Literal["none", "pool", "causal", "additive", "dot", "general"] = Field(
        "none",
        description="What the last layer hands on: its state; pool: its states so far, weighted; causal: its state and "
        "a weighted mean of earlier ones. Of translate, between answer and source: additive, dot or general.",
    )
    lookback: int = Field(64, ge=1, description="Earlier states that attention causal sees; a stream keeps so many.")
    nonlinearity: Literal["tanh", "relu", "identity"] | None = Field(
        None, description="Squashing function: tanh or relu of elman and indrnn, tanh or identity of echo_state."
    )
    projection: int | None = Field(None, ge=1, description="Width of the projected output of the cell lstm.")
    depth: int | None = Field(None, ge=1, description="Layers inside one step of the cell rhn.")
    peephole: bool | None = Field(None, description="Gates of the cell lstm see the cell state, unit by unit.")
    coupled: bool | None = Field(None, description="The input gate of the cell lstm is one minus its forget gate.")
    forget_bias: float | None = Field(
        None, allow_inf_nan=False, description="First bias of the forget gate of the cell lstm."
    )
    reset: Literal["after", "before"] | None = Field(
        None, description="Whether the cell gru resets after the recurrent product (the default) or before it."
    )
    recurrent_init: Literal["uniform", "orthogonal", "identity"] | None = Field(
        None, description="First recurrent weights; identity is for the cell elman."
    )
    chrono: int | None = Field(
        None, ge=2, description="Longest lag expected, in steps: first biases of lstm and gru remember so long."
    )

    layer_norm: bool | None = Field(None, description="Layer norm inside every step of a gated cell.")
    zoneout: float | None = Field(
        None, ge=0, lt=1, description="Share of the state that a gated cell keeps as it was, drawn at every step."
    )
    state_dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of units that a gated cell does not see of its past, the same at all steps.",
    )
    weight_drop: float | None = Field(
        None, ge=0, lt=1, description="Share of the recurrent weights of a gated cell dropped in training, per batch."
    )
    transition: int | None = Field(
        None, ge=0, description="Layers that the state of any cell passes between two steps (deep transition)."
    )
    deep_output: int | None = Field(None, ge=0, description="Layers that the output of any cell passes on its way up.")
    kernel: int | None = Field(None, ge=1, description="Steps that the cell qrnn sees at once.")
    output_gate: bool | None = Field(None, description="Whether the cell qrnn has an output gate.")
    leak: float | None = Field(
        None, gt=0, le=1, description="Share of the state of the cell echo_state that is new at a step."
    )
    spectral_radius: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Largest absolute eigenvalue of the matrix of the cell echo_state."
    )
    density: float | None = Field(
        None, gt=0, le=1, description="Share of the recurrent weights of the cell echo_state that are not 0."
    )
    input_scale: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Largest input weight of the cell echo_state, over the root of the number of inputs.",
    )
    bias_scale: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Largest bias of the cell echo_state."
    )
    ridge: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Penalty of a readout in closed form (default: the best of a wide grid by generalised cross-validation).",
    )
    washout: int | None = Field(
        None,
        ge=0,
        description="Tokens at the beginning whose states a readout in closed form leaves out of its pooling.",
    )

    @model_validator(mode="after")
    def _one_concept(self) -> Network:
        """`residual` says no more than `connection`; several cells say how many layers there are."""
        given, stated = self.model_fields_set, self.connection == "residual"
        if {"residual", "connection"} <= given and self.residual and not stated:
            raise ValueError(f"got residual and connection {self.connection}; expected one of them")
        if {"residual", "connection"} <= given and not self.residual and stated:
            raise ValueError("got no residual and connection residual; expected one of them")
        if "residual" in given and "connection" not in given:
            vars(self)["connection"] = "residual" if self.residual else "plain"
        vars(self)["residual"] = self.connection == "residual"
        count = len(self.cell.split(","))
        if count > 1 and "layers" not in given:
            vars(self)["layers"] = count
        if count not in (1, self.layers):
            raise ValueError(f"cell: got {count} cells for {self.layers} layers; expected one, or one per layer")
        return self

    @property
    def closed_form(self) -> bool:
        """Whether nothing but the readout is to be learned: all cells are fixed reservoirs."""
        return set(self.cells) == {"echo_state"} and not self.transition and not self.deep_output

    @property
    def cells(self) -> tuple[str, ...]:
        """The name of the cell of every layer."""
        names = tuple(name.strip() for name in self.cell.split(","))
        return names * self.layers if len(names) == 1 else names

    def cell_options(self) -> dict[str, Any]:
        """The options meant for the cell: those that were given."""
        return {name: value for name in CELL_OPTIONS if (value := getattr(self, name)) is not None}
