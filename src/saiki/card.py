"""What a saved model says of itself: the facts that `saiki inspect` prints and the model card in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saiki.model import Model


def facts(model: Model) -> list[tuple[str, str]]:
    """Pairs of a word and what it says."""
    plan, network = model.task.plan, model.network_options
    size = sum(p.numel() for p in model.network.parameters())
    layers = f"{network.layers} layers of {model.width} units, {network.cell}"
    rows = [
        ("task", f"{model.name}, {plan.horizon} steps ahead"),
        ("network", layers + (", both directions" if network.bidirectional else "")),
        ("parameters", f"{size:,}"),
        ("window", f"{plan.history} steps in {plan.tokens} patches of {plan.patch}; season {plan.season}"),
        ("values", ("logarithm, " if plan.log else "") + ("in units of their window" if plan.scale else "as they are")),
        ("stream", f"looks back {plan.history} steps; a step computes the window anew" if not model.task.roles.future
         else "no: some columns must be known ahead (--future)"),
    ]  # fmt: skip
    rows += [(f"data: {word}", says) for word, says in model.understood]
    if model.run:
        run = model.run
        again = f", then {run['refit']:,} on all data" if "refit" in run else ""
        rows.append(("training", f"{run['step']:,} of {run['steps']:,} steps{again}, in {run['seconds']:.0f} s"))
    if model.validation:
        rows.append(("validation", model.validation.sentence()))
    return rows


def card(model: Model) -> str:
    """The model card: Markdown."""
    lines = ["# A model trained by saiki", ""]
    lines += [f"- **{word}**: {says}" for word, says in facts(model)]
    if model.validation:
        lines += ["", f"## Scores ({model.validation.about})", "", *score_table(model.validation.scores), ""]
        lines += [f"- {note}" for note in model.validation.notes]
    options = model.task.options.model_dump(mode="json", exclude_defaults=True)
    lines += ["", "## How to use it", "", "```python", "import saiki", "", 'model = saiki.load("path/to/this/folder")']
    lines += [
        "forecast = model.predict(frame)  # pandas, polars or Arrow, with the columns of the training data",
        "```",
        "",
    ]
    lines += ["```", "saiki predict path/to/this/folder data.csv --out forecast.csv", "```", ""]
    lines += ["## Options", "", f"`{options}`", ""]
    return "\n".join(lines)


def score_table(scores: dict[str, dict[str, float]]) -> list[str]:
    """Scores as the lines of a Markdown table."""
    columns = list(dict.fromkeys(metric for found in scores.values() for metric in found))
    show = lambda v: "" if not np.isfinite(v) else f"{v:.3f}" if abs(v) < 100 else f"{v:,.0f}"  # noqa: E731
    rows = [[name, *(show(found.get(c, np.nan)) for c in columns)] for name, found in scores.items()]
    head = ["| forecast | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    return head + ["| " + " | ".join(row) + " |" for row in rows]
