"""Answer row by row: JSON Lines in and out.

Every line is one row with the columns of the training data, series are told apart by their id; every answer is what
predict gives for all rows up to that one. A line that cannot be used is answered by {"error": …} and the stream goes on.
"""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a trained model.")],
    history: Annotated[
        Path | None, typer.Option(help="Forecast: data that came before the first line, as predict takes them.")
    ] = None,
) -> None:
    import saiki

    stream = saiki.load(model).stream(history)
    if isinstance(sys.stdin, TextIOWrapper):
        # bytes that are no UTF-8 spoil their line, not the stream
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(sys.stdin, start=1):
        if line.strip():
            for answer in answers(stream, line, number):
                sys.stdout.write(answer + "\n")
            sys.stdout.flush()


def answers(stream: Any, line: str, number: int) -> list[str]:
    """The answer to one line, as lines."""
    from saiki.cli._console import as_json

    try:
        found = stream.push(_row(line))
        lines = [as_json(answer) for answer in (found if isinstance(found, list) else [found])]
        "".join(lines).encode()
        return lines
    except UnicodeEncodeError:
        told = "the row holds half of a character, such as \\ud800 alone; expected whole ones"
    except (ValueError, KeyError, TypeError) as error:
        told = str(error).encode(errors="backslashreplace").decode()
    return [as_json({"error": told, "line": number})]


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"not JSON ({error}); expected an object with one value per column") from None
    if not isinstance(row, dict):
        raise ValueError(f"got {line.strip()[:50]}; expected an object with one value per column")
    return row
