"""The options of training: how long, how fast, from which seed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Training(BaseModel):
    """How a network is trained. A budget is given in minutes, epochs or steps; without one it is two minutes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: float | None = Field(None, gt=0, description="Budget in minutes of wall-clock time, start-up included.")
    epochs: int | None = Field(None, ge=1, description="Budget in epochs: as many draws as there are training windows.")
    steps: int | None = Field(None, ge=1, description="Budget in optimiser steps.")
    most_epochs: int = Field(10, ge=1, description="Epochs at most when the budget is one of time.")
    batch: int = Field(64, ge=1, description="Sequences per optimiser step.")
    bptt: int | None = Field(
        None,
        ge=1,
        description="Steps that an error is sent back; longer sequences are cut there, their state carried on.",
    )
    learning_rate: float = Field(8e-3, gt=0, description="Highest learning rate, after the warm-up.")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="Learning rate after the warm-up.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay; never applied to biases.")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    average: float = Field(0.0, ge=0, lt=1, description="Decay of a running average of the weights; 0 keeps none.")
    validations: int = Field(20, ge=1, description="How often the validation score is taken during the run.")
    patience: int = Field(10, ge=1, description="Validations without improvement after which training stops early.")
    checkpoint_every: int = Field(50, ge=1, description="Steps between checkpoints.")
    refit: bool | None = Field(
        None, description="Train once more on all data, for as many steps (default: for few series)."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the weights, the order of the data and dropout.")
    threads: int | None = Field(None, ge=1, description="CPU threads [as many as there are cores].")
    device: str = Field("cpu", description="Device that trains: cpu, cuda, … (devices other than cpu are untested).")
    devices: int = Field(1, ge=1, description="Number of devices, through lightning-fabric (untested).")
    precision: Literal["32", "bf16-mixed"] = Field(
        "32",
        description="Arithmetic; bf16-mixed is for GPUs: on a CPU plain loops compute it, not the kernels.",
    )
    tensorboard: bool = Field(
        False, description="Write the learning curve for TensorBoard too, beside the model, to OUT.tensorboard."
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Training:
        given = [n for n in ("minutes", "epochs", "steps") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"got {' and '.join(given)}; expected one budget")
        return self

    @property
    def seconds(self) -> float | None:
        """The budget in seconds, if it is one of time."""
        if self.minutes is None and self.epochs is None and self.steps is None:
            return 120.0
        return None if self.minutes is None else 60 * self.minutes
