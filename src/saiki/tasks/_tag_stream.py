"""Labels step by step: after each row, the label that `predict` gives the last row of all rows so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch

from saiki.data.clock import times
from saiki.data.roles import ID
from saiki.data.tagged import Tagged, tagged
from saiki.errors import DataError
from saiki.network.stack import States
from saiki.network.tagger import Tagger
from saiki.tasks._rows_given import check_values, known_by, with_id
from saiki.tasks._tagging import TagTask


class _Held:
    """What is known of one series: the state of the network, its first row, and what a further row is compared with."""

    def __init__(self, states: States) -> None:
        self.states, self.count = states, 0
        self.first: dict[str, Any] = {}
        self.last: dict[str, Any] = {}


class TagStream:
    """State of many series at once, keyed by id. `push` takes a row and gives its label."""

    def __init__(self, task: TagTask, network: Tagger) -> None:
        self.task, self.network = task, network.eval()
        self._series: dict[str | None, _Held] = {}

    @torch.no_grad()
    def push(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Id, label and probability of the row. DataError for a row that is not later than the one before it."""
        layout = self.task.layout
        row = with_id(row, layout.id)
        given = row.get(layout.id) if layout.id else None
        key = known_by(given, layout.id)
        check_values(row, (layout.id, layout.time, layout.words, *layout.channels))
        held = self._series.get(key) or _Held(self.network.stack.initial_state(1))
        found = self._read(dict(row), held)
        encoded = self.task._encode(found)
        batch = encoded.batch(encoded.starts + encoded.lengths - 1, encoded.lengths * 0 + 1)
        p, held.states = self.network.step(batch, held.states)
        self._remember(held, dict(row))
        self._series[key] = held
        code = int(p[0].argmax())
        name = self.task.label.classes[code]
        return {**({layout.id: given} if layout.id else {}), "saiki": name, "saiki-p": float(p[0, code])}

    def _read(self, row: dict[str, Any], held: _Held) -> Tagged:
        """The row as the last of a series that is encoded as all rows so far would be: its first row and the one before."""
        layout = self.task.layout
        row.pop(layout.target, None)
        rows = [row]
        if held.count and self.task.channels is not None:
            empty = held.first | dict.fromkeys(layout.channels)
            rows = [held.last, row] if held.count == 1 else [empty, held.last, row]
        self._in_order(row, held)
        kept = [name for name in (layout.id, layout.time, layout.words, *layout.channels) if name]
        try:
            table = pl.DataFrame(
                [{name: r.get(name) for name in kept} for r in rows], infer_schema_length=None, strict=False
            )
        except (pl.exceptions.PolarsError, TypeError):
            raise DataError(
                "the row has values of other kinds than the rows before it; expected columns alike"
            ) from None
        return tagged(table if layout.id else table.with_columns(pl.lit(0).alias(ID)), layout)

    def _in_order(self, row: dict[str, Any], held: _Held) -> None:
        name = self.task.layout.time
        if name and held.count:
            moments, _ = times(pl.Series(name, [held.last[name], row[name]], strict=False))
            if moments[1] <= moments[0]:
                raise DataError(
                    f"the row's time {row[name]} does not come after {held.last[name]}; expected rows in order of time"
                )

    def _remember(self, held: _Held, row: dict[str, Any]) -> None:
        """A missing value is carried on where the one last seen stands for it."""
        if not held.count:
            held.first = row
        if self.task.options.fill == "last":
            row |= {name: held.last.get(name) for name in self.task.layout.channels if row[name] is None and held.count}
        held.last, held.count = row, held.count + 1
