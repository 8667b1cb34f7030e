"""From scores to an answer, token by token; one file per way of choosing.

All take `step(tokens [rows], state) -> (scores [rows, tokens], state)` and a state whose tensors, however nested, have one row
per sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

#: scores (log-probabilities up to a constant) of what may come after `tokens`, and the state after them
Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


def select(state: Any, rows: Tensor) -> Any:
    """The rows of a state, however it is nested."""
    if isinstance(state, Tensor):
        return state.index_select(0, rows)
    if state is None:
        return None
    if isinstance(state, dict):
        return {name: select(part, rows) for name, part in state.items()}
    parts = [select(part, rows) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
