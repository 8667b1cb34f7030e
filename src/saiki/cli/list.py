"""List what there is to choose from: cells, tasks, metrics, …"""

from __future__ import annotations

from typing import Annotated

import typer

from saiki import catalog
from saiki.cli._console import Console, aligned


def command(
    folder: Annotated[str | None, typer.Argument(metavar="WHAT", help=f"One of {', '.join(catalog.FOLDERS)}.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    if folder is None:
        found = {name: ", ".join(catalog.names(name)) for name in catalog.FOLDERS}
    else:
        found = {name: catalog.summary(folder, name) for name in catalog.names(folder)}
    Console(as_json=json).answer(aligned(found.items()), found)
