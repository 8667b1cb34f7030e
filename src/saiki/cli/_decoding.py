"""How a translation is sought, told anew: options of `predict` and of `evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

Beam = Annotated[
    int | None, typer.Option(help="Translate: answers followed side by side [as trained]; 1 takes the likeliest unit.")
]
LengthPenalty = Annotated[float | None, typer.Option(help="Translate: how much longer answers are preferred.")]
Block = Annotated[int | None, typer.Option(help="Translate: no run of so many units comes twice in an answer.")]
Longest = Annotated[int | None, typer.Option(help="Translate: units of an answer at most.")]
