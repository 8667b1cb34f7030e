"""How to run a cell faster; removable without changing any answer.

`choose` gives the row of the table that computes a cell on the given tensors, or None; `run` then runs it.
"""

from __future__ import annotations

from saiki.kernels.ops import run, run_both, unroll, unroll_layer
from saiki.kernels.stream import NativeStream
from saiki.kernels.table import RESERVOIR, ROWS, SCAN, Row, choose, find, leaves_graphs, match, report, row_for, runs

__all__ = [
    "RESERVOIR",
    "ROWS",
    "SCAN",
    "NativeStream",
    "Row",
    "choose",
    "find",
    "leaves_graphs",
    "match",
    "report",
    "row_for",
    "run",
    "run_both",
    "runs",
    "unroll",
    "unroll_layer",
]
