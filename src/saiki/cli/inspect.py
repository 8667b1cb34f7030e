"""Say what is in a model, in a data file, or on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saiki.cli._console import Console, aligned
from saiki.errors import DataError, OptionError

#: roles of several columns
LISTS = ("past", "future", "static")


def command(
    what: Annotated[
        Path | None, typer.Argument(metavar="MODEL|DATA", help="A model's folder, a table or text.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(metavar="COLUMN…", help="Columns to forecast [y].")] = None,
    id: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that names the series [unique_id].")] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of times [ds].")] = None,
    past: Annotated[list[str] | None, typer.Option(metavar="COLUMN…", help="Columns known up to now.")] = None,
    future: Annotated[list[str] | None, typer.Option(metavar="COLUMN…", help="Columns known ahead.")] = None,
    static: Annotated[list[str] | None, typer.Option(metavar="COLUMN…", help="Columns that do not change.")] = None,
    freq: Annotated[str | None, typer.Option(help="Step between rows, such as h, D, W, MS or 15min.")] = None,
    system: Annotated[bool, typer.Option("--system", help="Versions, threads, and which kernels run and why.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    if (what is None) != system:
        raise OptionError("expected a model's folder or a data file, or --system alone")
    asked = {"target": target, "id": id, "time": time, "freq": freq, "past": past, "future": future, "static": static}
    if what is None:
        facts = _system()
    elif what.is_dir() and any((what / name).exists() for name in ("config.json", "model.safetensors")):
        import saiki

        if given := [f"--{name}" for name, value in asked.items() if value]:
            raise OptionError(f"{what} is a folder, and {given[0]} is for tables; leave it out")
        facts = saiki.load(what).facts()
    else:
        facts = _data(what, {name: value or (() if name in LISTS else None) for name, value in asked.items()})
    Console(as_json=json).answer(aligned(facts), _grouped(facts))


def _grouped(facts: list[tuple[str, str]]) -> dict[str, Any]:
    """Names to values; a name that repeats has a list."""
    found: dict[str, Any] = {}
    for name, value in facts:
        found[name] = value if name not in found else [*_listed(found[name]), value]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _data(path: Path, roles: dict[str, Any]) -> list[tuple[str, str]]:
    """What is in a file or a folder, and what forecasting would make of a table (or why it would not)."""
    from saiki.data.audit import audit_panel
    from saiki.data.panel import panel
    from saiki.data.summary import are_labels, counted, of_columns, of_text
    from saiki.data.wide import by_step
    from saiki.readers import read_frame

    if (found := of_text(path)) is not None:
        return found
    frame = read_frame(path, names=(roles.get("id"),))
    facts = [("rows", f"{len(frame):,}"), *of_columns(frame)]
    target = (roles["target"] or ("y",))[0]
    if target in frame.columns and are_labels(frame[target]):
        return [*facts, ("classes", f"{counted(frame[target])} in {target}")]
    try:
        found = by_step(frame, roles["id"], roles["target"], roles["time"])
        series = panel(found.frame, **{**roles, "id": found.id or roles["id"]})
        notes = [("note", found.note)] if found.note else []
        return [*facts, *series.describe(), *notes, *(("leak", sentence) for sentence in audit_panel(series))]
    except DataError as error:
        return [*facts, ("as series", f"no forecast yet: {error}; other tasks read it otherwise (saiki list tasks)")]


def _system() -> list[tuple[str, str]]:
    import os
    import platform

    import torch

    import saiki
    from saiki import kernels

    facts = [("saiki", saiki.__version__), ("python", platform.python_version()), ("torch", torch.__version__)]
    facts += [("platform", f"{platform.system()} {platform.machine()}"), ("cores", str(os.cpu_count()))]
    return facts + [(name.replace("_", " "), _shown(value)) for name, value in kernels.report().items()]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
