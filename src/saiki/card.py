"""What a saved model says of itself: the facts that `saiki inspect` prints and the model card in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saiki.model import Model
    from saiki.network.options import Network


def facts(model: Model) -> list[tuple[str, str]]:
    """Pairs of a word and what it says."""
    network = model.network_options
    size = sum(p.numel() for p in model.network.parameters())
    layers = f"{network.layers} layers of {model.width} units, {network.cell}"
    rows = [
        ("task", ", ".join(filter(None, (model.name, model.task.headline)))),
        ("network", layers + (", both directions" if network.bidirectional else "") + _attention(network)),
        ("parameters", f"{size:,}"),
    ]
    rows += model.task.facts()
    rows += [(f"data: {word}", says) for word, says in model.understood]
    if model.run:
        run = model.run
        again = f", then {run['refit']:,} on all data" if "refit" in run else ""
        each = f" for each of {len(run['members'])} networks" if "members" in run else ""
        rows.append(("training", f"{run['step']:,} of {run['steps']:,} steps{each}{again}, in {run['seconds']:.0f} s"))
        if "from" in run:
            rows.append(("goes on", run["from"]["says"]))
    if model.validation:
        says = model.validation.sentence().removesuffix(" Use the baseline, or train longer.")
        rows.append(
            ("validation", f"when it was trained, on {model.validation.about.removeprefix('validation: ')}: {says}")
        )
    return rows


def _attention(network: Network) -> str:
    if network.attention == "none":
        return ""
    return f", attention {network.attention}" + (f" over {network.lookback} steps" * (network.attention == "causal"))


def card(model: Model) -> str:
    """The model card: Markdown."""
    lines = ["# A model trained by saiki", ""]
    lines += [f"- **{word}**: {says}" for word, says in facts(model)]
    if model.validation:
        lines += [
            "",
            f"## Scores ({model.validation.about})",
            "",
            *score_table(model.validation.scores, model.task.answer),
            "",
        ]
        lines += [f"- {note}" for note in model.validation.notes]
    options = model.task.options.model_dump(mode="json", exclude_defaults=True)
    lines += ["", "## How to use it", "", "```python", "import saiki", "", 'model = saiki.load("path/to/this/folder")']
    lines += [
        f"{model.task.answer} = model.predict(data)  # data like the training data",
        "```",
        "",
    ]
    lines += ["```", *model.task.next_commands(Path("path/to/this/folder"), Path("data.csv")), "```", ""]
    lines += ["## Options", "", f"`{options}`", ""]
    return "\n".join(lines)


def score_table(scores: dict[str, dict[str, float]], answer: str) -> list[str]:
    """Scores as the lines of a Markdown table."""
    columns = list(dict.fromkeys(metric for found in scores.values() for metric in found))
    show = lambda v: "" if not np.isfinite(v) else f"{v:.3f}" if abs(v) < 100 else f"{v:,.0f}"  # noqa: E731
    rows = [[name, *(show(found.get(c, np.nan)) for c in columns)] for name, found in scores.items()]
    head = [f"| {answer} | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    return head + ["| " + " | ".join(row) + " |" for row in rows]
