"""Score a model and the baselines where the truth is known.

For a forecast, DATA holds the history of every series and, at its end, the truth of the horizon; or the truth alone,
with --history apart. Otherwise it is data like those of training, the target included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saiki.cli._console import Console, table


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Data with the truth.")],
    history: Annotated[Path | None, typer.Option(help="What the model may see, if DATA holds only the truth.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Language models: write every unit and its surprise in nats to this table too.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report of one HTML file too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    import saiki
    from saiki.reporting.scores import rows

    trained = saiki.load(model)
    found = trained.evaluate(data, history)
    console = Console(quiet, json)
    for note in found.notes:
        console.say(f"note: {note}")
    facts = found.to_json() | {"beats_baselines": found.beats_baselines, "sentence": found.sentence()}
    console.answer([*table(rows(found.scores), "saiki"), "", found.sentence()], facts)
    if out:
        _surprises(trained, data, out)
        console.say(f"surprise of every unit: {out}")
    if html:
        from saiki.reporting.page import write_report

        write_report(html, trained, found, title=f"{model.name} on {data.name}")
        console.say(f"report: {html}")


def _surprises(trained: Any, data: Path, out: Path) -> None:
    """The table of units and how surprising each of them was."""
    import polars as pl

    from saiki.data.frames import write_frame
    from saiki.errors import OptionError

    if not hasattr(trained.task, "surprise"):
        raise OptionError(f"--out has no meaning for {trained.name}: only a language model is surprised unit by unit")
    units, nats = zip(*trained.task.surprise(trained.network, data), strict=True)
    write_frame(pl.DataFrame({"unit": units, "nats": nats}), out)
