"""What commands print: talk to stderr, answers to stdout."""

from __future__ import annotations

import json
import math
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer

#: of a terminal
COLUMNS = 80


class Console:
    """Talk on stderr, answers on stdout. `quiet` silences both, but not JSON that was asked for."""

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json

    def say(self, text: str = "") -> None:
        """A line of talk."""
        if not self.quiet:
            typer.echo(text, err=True)

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """What was understood, as talk."""
        for line in aligned(rows):
            self.say(line)

    def answer(self, lines: Iterable[str], data: Any = None) -> None:
        """The answer for people, or as JSON if that was asked for."""
        if self.as_json:
            typer.echo(as_json(data))
        elif not self.quiet:
            for line in lines:
                typer.echo(line)


def writable(out: Path | None, force: bool, *read: Path | None, option: str = "--out") -> None:
    """OptionError for a file to write that is there already, unless `force` replaces it, and always for one that is read."""
    from saiki.errors import OptionError

    if out is None:
        return
    if not out.parent.is_dir():
        raise OptionError(f"{out}: there is no folder {out.parent}; make it, or choose another {option}")
    if not out.exists():
        return
    if any(path is not None and path.exists() and out.samefile(path) for path in read):
        raise OptionError(f"{out} is read by the command, and would be lost; choose another {option}")
    if not force:
        raise OptionError(f"{out} is there already; choose another {option}, or replace it with --force")


def as_json(data: Any) -> str:
    """Strict JSON: what is not finite becomes null."""
    return json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, default=_text)


def _text(value: Any) -> str:
    """Times in ISO 8601, everything else as it is printed."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(k): _finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(v) for v in data]
    if hasattr(data, "tolist"):  # NumPy
        return _finite(data.tolist())
    return None if isinstance(data, float) and not math.isfinite(data) else data


def aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    """`word   what it says`, the words in a column of their own; a word that repeats is shown once."""
    rows = list(rows)
    width = max((len(word) for word, _ in rows), default=0)
    lines, before = [], None
    for word, text in rows:
        lines.append(f"  {'' if word == before else word:<{width}}  {text}")
        before = word
    return lines


def table(rows: Sequence[Sequence[str]], bold: str | None = None) -> list[str]:
    """Lines of a table: the first row is the header, the first column stands left, the row `bold` stands out.

    Where it would be wider than a terminal, long names stand in several lines.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    header = [list(rows[0])]
    if sum(widths) + 2 * len(widths) > COLUMNS:
        numbers = [max(map(len, column[1:]), default=0) for column in zip(*rows, strict=True)]
        names = [
            textwrap.wrap(c, max(w, *map(len, c.split()))) if c else [] for c, w in zip(rows[0], numbers, strict=True)
        ]
        height = max(map(len, names))
        header = [list(line) for line in zip(*([""] * (height - len(n)) + n for n in names), strict=True)]
        widths = [max(map(len, column)) for column in zip(*header, *rows[1:], strict=True)]
    lines = []
    for row in [*header, ["-" * w for w in widths], *rows[1:]]:
        cells = [f"{c:<{w}}" if k == 0 else f"{c:>{w}}" for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        line = "  " + "  ".join(cells)
        lines.append(typer.style(line, bold=True) if row[0] == bold and sys.stdout.isatty() else line)
    return lines
