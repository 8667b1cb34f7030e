"""Cells from elsewhere: classes that were given, and those that installed packages offer.

A package offers a cell in its `pyproject.toml`, under the name that `--cell` takes:

    [project.entry-points."saiki.cells"]
    mycell = "mypackage.cells:MyCell"
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from saiki import catalog
from saiki.cells.base import Cell
from saiki.errors import OptionError

GROUP = "saiki.cells"
_given: dict[str, type[Cell]] = {}


def use(cells: Iterable[type[Cell]]) -> None:
    """Know these classes by their names from now on; a class given later under a name replaces the earlier one.

    Raises:
        OptionError: not a class of cells, or the name of one of the library's.
    """
    for kind in cells:
        name = _checked(kind).__name__
        if name in catalog.names("cells"):
            raise OptionError(f"cells: got a class named {name!r}, as a cell of the library is; give it another name")
        _given[name] = kind


def elsewhere(name: str) -> type[Cell] | None:
    """The cell of that name that was given, or that an installed package offers."""
    if name in _given:
        return _given[name]
    return _checked(_offered()[name].load()) if name in _offered() else None


def known_elsewhere() -> list[str]:
    """The names of all of them."""
    return sorted({*_given, *_offered()})


@cache
def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _checked(kind: Any) -> type[Cell]:
    if not (isinstance(kind, type) and issubclass(kind, Cell)):
        raise OptionError(f"cells: got {kind!r}; expected a class derived from saiki.cells.Cell")
    return kind
