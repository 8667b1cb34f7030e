"""Score a model and the baselines where the truth is known.

For a forecast, DATA holds the history of every series and, at its end, the truth of the horizon; or the truth alone,
with --history apart. Otherwise it is data like those of training, the target included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saiki.cli._console import Console, table, writable
from saiki.cli._decoding import Beam, Block, LengthPenalty, Longest

#: rows of a table of a back-test that are printed
SHOWN = 12


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Data with the truth.")],
    history: Annotated[Path | None, typer.Option(help="What the model may see, if DATA holds only the truth.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write a table too: forecasts of the back-test; answers beside the truth; of language models every unit's nats."
        ),
    ] = None,
    windows: Annotated[
        int | None, typer.Option(help="Forecast: back-test from so many cutoffs, the last a horizon before the end.")
    ] = None,
    step: Annotated[int | None, typer.Option(help="Steps between cutoffs [the horizon].")] = None,
    refit: Annotated[
        str, typer.Option(metavar="never|every|N", help="Train anew at no cutoff, at each, or at every N-th.")
    ] = "never",
    baselines: Annotated[
        list[str] | None, typer.Option(metavar="NAME…", help="Baselines to compare with (saiki list baselines).")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(metavar="PERCENT…", help="Forecast: intervals, of any level, such as 80 95.")
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(metavar="clarke|parkes", help="Forecast: zones of an error grid, for glucose in mg/dL."),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="SIDE:NUMBER…", help="Forecast: events to foretell, such as below:70 above:180."),
    ] = None,
    adaptive: Annotated[
        bool,
        typer.Option(
            "--adaptive",
            help="Forecast: with --windows, intervals that learn from cutoff to cutoff too. Language model: scores of a copy "
            "that learns from the text as it reads it, too.",
        ),
    ] = False,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    block: Block = None,
    longest: Longest = None,
    html: Annotated[Path | None, typer.Option(help="Write a report of one HTML file too.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    import saiki
    from saiki.data.frames import check_suffix
    from saiki.errors import OptionError
    from saiki.reporting.scores import rows

    writable(out, force, data, history)
    writable(html, force, data, history, option="--html")
    if out is not None:
        check_suffix(out)
    if out is not None and html is not None and out.absolute() == html.absolute():
        raise OptionError(f"--out and --html are both {out}; expected two files")
    sought = {"beam": beam, "length_penalty": length_penalty, "block": block, "longest": longest}
    trained = saiki.load(model).answering(**sought)
    console = Console(quiet, json)
    rolling = {"windows": windows, "step": step, "refit": refit}
    chosen = {"baselines": baselines or None, "level": level or None}
    clinical = {"grid": grid, "event": event or None}
    found = trained.evaluate(data, history, **rolling, **chosen, **clinical, adaptive=adaptive or None)
    for note in found.notes:
        console.say(f"note: {note}")
    facts = found.to_json() | {"beats_baselines": found.beats_baselines, "sentence": found.sentence()}
    lines = [*table(rows(found.scores), "saiki")]
    for extra in found.tables if windows or grid or event or adaptive else ():
        lines += ["", f"{extra.title} ({extra.note})", *table([extra.header, *extra.rows[:SHOWN]])]
        if len(extra.rows) > SHOWN:
            lines.append(f"  … {len(extra.rows) - SHOWN} more with --html or --json")
    console.answer([*lines, "", found.sentence()], facts)
    if out and hasattr(trained.task, "surprise"):
        _surprises(trained, data, out)
        console.say(f"surprise of every unit: {out}")
    elif out and (answers := trained.task.answered(trained.network, data)) is not None:
        from saiki.data.frames import write_frame

        write_frame(answers, out)
        console.say(f"answers beside the truth: {out}")
    elif out:
        from saiki.data.frames import write_frame
        from saiki.tasks._backtest import frame, frame_of

        write_frame(frame_of(found) if found.rolled is None else frame(found.rolled), out)
        console.say(f"forecasts: {out}")
    if html:
        from saiki.reporting.page import write_report

        write_report(html, trained, found, title=f"{model.name} on {data.name}")
        console.say(f"report: {html}")


def _surprises(trained: Any, data: Path, out: Path) -> None:
    """The table of units and how surprising each of them was."""
    import polars as pl

    from saiki.data.frames import write_frame

    units, nats = zip(*trained.task.surprise(trained.network, data), strict=True)
    write_frame(pl.DataFrame({"unit": units, "nats": nats}), out)
