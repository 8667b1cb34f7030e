"""Which fast path runs a cell: one row per path, and pure functions that choose a row or say why there is none."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from saiki.cells._deep import Deep
from saiki.cells.base import Cell, GatedCell, LinearCell, RecurrentCell

logger = logging.getLogger("saiki.kernels")


def _load() -> tuple[ModuleType | None, str]:
    try:
        from saiki.kernels import _native
    except ImportError as error:
        return None, f"the native extension is not available ({error}); recurrent layers run on plain torch"
    _native.know_torch((torch.float32, torch.float64, torch.int64, torch.int32), Tensor)
    return _native, ""


#: the extension module, or None and the reason why not
native, why_no_native = _load()


@dataclass(frozen=True)
class Row:
    """One fast path: the cell and options it computes, where, and the name the native code knows it by."""

    cell: str
    kernel: str
    options: Mapping[str, Any] = field(default_factory=dict)  # attributes of the cell, and the values computed here
    weights: int = 4  # weight_ih, weight_hh, bias_ih, bias_hh
    device: str = "cpu"
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float64)


ROWS = (
    Row("elman", "elman_tanh", {"nonlinearity": "tanh"}),
    Row("elman", "elman_relu", {"nonlinearity": "relu"}),
    Row("lstm", "lstm", {"peephole": False, "coupled": False}),
    Row("gru", "gru", {"reset": "after"}),
)
#: the fused scan: it takes the coefficients of any linear cell, whatever its weights
SCAN = Row("linear", "scan", weights=0)
#: cells step by step, with all their options
STEPS = {
    name: Row(name, f"{name}_steps", weights=0)
    for name in ("elman", "gru", "lstm", "slstm", "rhn", "indrnn", "sru", "lru", "mingru", "gru_d", "cfc")
}
#: a reservoir with constant weights: no gradient passes
RESERVOIR = Row("echo_state", "reservoir", weights=0)
#: methods that say what a cell computes: one with any of its own has no kernel
MATHS = frozenset({"recur", "step", "advance", "output", "see", "project", "follow"})
#: as max_products in native/steps.h
MOST_PRODUCTS = 32


def match(cell: str, options: Mapping[str, Any], weights: int, device: str, dtype: torch.dtype) -> Row | str:
    """The row that computes this cell there, or one line that says why there is none.

    Args:
        options: values of the options that rows of this cell name; one left out has a row's value.
        weights: number of the cell's weights; more than a row's (a projection, say) have no kernel.
    """
    found = row_for(cell, options, weights)
    return found if isinstance(found, str) else runs(found, device, dtype)


def row_for(cell: str, options: Mapping[str, Any], weights: int) -> Row | str:
    """`match`, wherever it may run."""
    rows = [row for row in ROWS if row.cell == cell]
    if not rows:
        return f"no kernel for the cell {cell}"
    rows = [row for row in rows if all(options.get(name, value) == value for name, value in row.options.items())]
    if not rows:
        return f"no kernel for {cell} with {options}"
    if weights != rows[0].weights:
        return f"the kernel for {cell} knows {rows[0].weights} weights, and this cell has {weights}"
    return rows[0]


def runs(row: Row, device: str, dtype: torch.dtype, cell: str = "") -> Row | str:
    """The row, if it runs there, else why not; `cell` names another cell that it computes."""
    cell = cell or row.cell
    if device != row.device:
        return f"the kernel for {cell} runs on {row.device}, not on {device}"
    if dtype not in row.dtypes:
        return f"the kernel for {cell} computes in float32 and float64, not in {str(dtype).removeprefix('torch.')}"
    return why_no_native if native is None else row


def find(cell: Cell, x: Tensor, state: Sequence[Tensor]) -> Row | str:
    """`match` for a cell and what it is given, after what only the objects tell."""
    inner, name = _named(cell)
    kind, linear = type(inner), isinstance(cell, LinearCell)
    own = kind.step is not LinearCell.step if linear else not kind.__module__.startswith("saiki.cells.")
    if own or (vars(cell).keys() | vars(inner).keys()) & MATHS:
        return f"no kernel for {kind.__name__}, whose step is its own"
    if not linear and name not in {row.cell for row in (*ROWS, RESERVOIR, *STEPS.values())}:
        return f"no kernel for the cell {name}"
    if (
        name == RESERVOIR.cell
        and torch.is_grad_enabled()
        and any(t.requires_grad for t in (x, *state, *cell.parameters()))
    ):
        return "no kernel for echo_state where a gradient passes through it"
    if any(t.dtype is not x.dtype or t.device != x.device for t in (*cell.parameters(), *cell.buffers(), *state)):
        return "input, state and weights differ in dtype or device"
    if type(cell) is Deep and any(type(layer) is not torch.nn.Linear for layer in cell.transition):
        return f"no kernel for {name} with layers of one's own in its transition"
    if name in ("gru_d", "cfc") and (type(cell) is Deep or cast(RecurrentCell, cell).layer_norm):
        return f"no kernel for {name} with layer norm or layers around it"
    found = _fused(cell, name, x)
    # one row alone: the scan shares its units among threads
    whole = (
        linear and len(state[0]) > 1 and kind.__module__.startswith("saiki.cells.") and "coefficients" not in vars(cell)
    )
    if name in STEPS and (whole or not isinstance(found, Row)):
        found = runs(STEPS[name], x.device.type, x.dtype, name)
    if found in STEPS.values() and (many := _products(cell)) > MOST_PRODUCTS:
        return f"the kernel of {name} has {MOST_PRODUCTS} products in a step at most, and this cell {many}"
    if (found in (SCAN, RESERVOIR) or found in STEPS.values()) and torch.compiler.is_compiling():
        return f"torch.compile: the kernel of {name} is no operator of its own; the cell runs step by step"
    if isinstance(found, Row) and torch.is_autocast_enabled(found.device):
        return "autocast: the reference computes in the dtypes that torch chooses"
    return found


def _named(cell: Cell) -> tuple[Cell, str]:
    """The cell inside layers of a transition, and the name that it has in the tables."""
    inner = cell.cell if type(cell) is Deep else cell
    return inner, type(inner).__module__.rpartition(".")[2].lstrip("_")


def leaves_graphs(cell: Cell) -> bool:
    """Whether a cell has a kernel that is no operator of torch's: `torch.compile` goes on behind it, in a graph of its own."""
    _, name = _named(cell)
    whole = type(cell) is not Deep and isinstance(cell, GatedCell) and cell.plain and name in {row.cell for row in ROWS}
    known = isinstance(cell, LinearCell) or name in STEPS or name == RESERVOIR.cell
    return native is not None and known and not whole


def _products(cell: Cell) -> int:
    """Products of the past and a matrix in a step, at most: of its layers or parts, and of a transition."""
    inner = cell.cell if type(cell) is Deep else cell
    return getattr(inner, "depth", 2) + (len(cell.transition) if type(cell) is Deep else 0)


def _fused(cell: Cell, name: str, x: Tensor) -> Row | str:
    """The row that computes the whole cell, input product and all, or the scan."""
    if isinstance(cell, LinearCell):
        return runs(SCAN, x.device.type, x.dtype, name)
    if name == RESERVOIR.cell and not isinstance(cell, Deep):
        return runs(RESERVOIR, x.device.type, x.dtype, name)
    if not isinstance(cell, GatedCell) or not cell.plain:
        return f"no kernel for {name} with layer norm, zoneout, state dropout or layers around it"
    options = {option: getattr(cell, option) for row in ROWS if row.cell == name for option in row.options}
    return match(name, options, len(cell.weights()), x.device.type, x.dtype)


def choose(cell: Cell, x: Tensor, state: Sequence[Tensor]) -> Row | None:
    """The row that runs this cell, or None; the reason is logged the first time."""
    found = find(cell, x, state)
    if isinstance(found, Row):
        say_once(f"{found.cell}: kernel {found.kernel}")
        return found
    say_once(found)
    return None


_said: set[str] = set()


def say_once(message: str) -> None:
    """Log a choice the first time it is made."""
    if message not in _said and not torch.compiler.is_compiling():
        _said.add(message)
        logger.info(message)


def report() -> dict[str, Any]:
    """Facts about the kernels of this machine: what runs, on which instruction set, with how many threads, why not."""
    facts = {"native": native is not None, "threads": torch.get_num_threads()}
    if native is None:
        return {**facts, "kernels": [], "why_not": why_no_native}
    facts |= {"isa": native.isa(), "isa_available": native.available(), "vector_bytes": native.vector_bytes()}
    facts["threads_of"] = "torch's OpenMP" if native.borrows_threads() else "saiki's pool"
    return {**facts, "kernels": [row.kernel for row in (*ROWS, SCAN, RESERVOIR, *STEPS.values())]}
