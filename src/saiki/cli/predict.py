"""Answer for new data what the model was trained for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from saiki.cli._console import Console, writable
from saiki.cli._decoding import Beam, Block, LengthPenalty, Longest


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Data like those the model was trained on.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; its suffix says how (.csv .parquet .jsonl .arrow …) [CSV to stdout]."),
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(metavar="PERCENT…", help="Forecast: intervals, of any level, such as 80 95.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Forecast: sample paths.", min=1)] = None,
    anomalies: Annotated[
        bool,
        typer.Option(
            "--anomalies", help="Forecast: mark the values of DATA outside their interval (99 %, or --level)."
        ),
    ] = False,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    block: Block = None,
    longest: Longest = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --out: print a summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    from saiki.errors import OptionError

    writable(out, force, data)
    if json and not out:
        raise OptionError("--json prints a summary, but the answers go to stdout; give --out FILE too")
    import saiki
    from saiki.data.frames import check_suffix, without_lists, write_frame

    if out is not None:
        check_suffix(out)
    trained = saiki.load(model)
    sought = {"beam": beam, "length_penalty": length_penalty, "block": block, "longest": longest}
    found = trained.predict(data, level=level or None, samples=samples, anomalies=anomalies or None, **sought)
    if anomalies:
        flags = found["saiki-anomaly"]
        Console(quiet, json).say(
            f"{int(flags.sum()):,} of {found['saiki-score'].count():,} values are outside their interval"
        )
    if out is None:
        sys.stdout.write(without_lists(found).write_csv())
        return
    write_frame(found, out)
    facts = {"out": str(out), "rows": len(found), "columns": list(found.columns)}
    Console(quiet, json).answer([f"{out}: {len(found):,} rows of {', '.join(found.columns)}"], facts)
