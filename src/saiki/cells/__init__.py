"""What one time step computes: readable references, one file each. The file name is the choice of `--cell`."""

from __future__ import annotations

import inspect
from typing import Any

from saiki import catalog
from saiki.cells._deep import Deep
from saiki.cells._elsewhere import elsewhere, known_elsewhere, use
from saiki.cells.base import Cell, RecurrentCell, State
from saiki.errors import OptionError, near_misses

#: options of every cell with a recurrent matrix
INSIDE = set(inspect.signature(RecurrentCell.act_inside).parameters) - {"self"}
#: options of every cell: layers around it
DEEP = {"transition", "deep_output"}

__all__ = ["Cell", "State", "cell_class", "make_cell", "options_of", "use"]


def cell_class(name: str) -> type[Cell]:
    """The one cell class of `cells/<name>.py`, or a cell from elsewhere (`use`, or the entry points of a package)."""
    own = catalog.names("cells")
    if name not in own:
        if (kind := elsewhere(name)) is not None:
            return kind
        known = [*own, *known_elsewhere()]
        raise OptionError(
            f"unknown cell {name!r}{near_misses(name, known)} (there are: {', '.join(known)}); "
            "a cell of one's own is given as a class: cells=[MyCell]"
        )
    module = catalog.load("cells", name)
    found = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Cell) and c is not Cell]
    own = [c for c in found if c.__module__ == module.__name__]
    if len(own) != 1:
        raise OptionError(f"cells/{name}.py holds {len(own)} subclasses of saiki.cells.base.Cell; expected one")
    return own[0]


def options_of(name: str) -> set[str]:
    """The options that a cell takes."""
    kind = cell_class(name)
    own = set(inspect.signature(kind).parameters) - {"features", "width", "inside"}
    return own | DEEP | (INSIDE if issubclass(kind, RecurrentCell) else set())


def make_cell(name: str, features: int, width: int, **options: Any) -> Cell:
    """Build a cell; an option that this cell does not take is one line of error naming the cells that do."""
    kind, deep = cell_class(name), {o: options.pop(o) for o in DEEP if o in options}
    for option in options:
        if option not in options_of(name):
            takers = [n for n in catalog.names("cells") if option in options_of(n)]
            raise OptionError(
                f"option {option!r} has no meaning for the cell {name!r}; "
                + (f"it belongs to: {', '.join(takers)}" if takers else "no cell has it")
            )
    cell = kind(features, width, **options)
    return Deep(cell, **deep) if any(deep.values()) else cell
