"""Labels of documents as their text arrives: after each piece, what `predict` gives for the text so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saiki.data.texts import Documents
from saiki.errors import DataError
from saiki.network.labeller import Labeller, Labellers
from saiki.tasks._documents import MOST_UNITS, DocumentTask
from saiki.tasks._rows_given import check_values, known_by, with_id


class _Read:
    """What one network knows of the units so far: its states, and what their pooling needs."""

    def __init__(self, member: Any) -> None:
        self.embedding, self.labeller = member.embedding, member.labeller
        self.states = self.labeller.stack.initial_state(1)
        width = self.labeller.stack.output_width
        self.count, self.last = 0, torch.zeros(1, width)
        self.total, self.most = torch.zeros(1, width), torch.zeros(1, width)

    def after(self, unit: int) -> _Read:
        """The same after one more unit; this one stays as it is."""
        found = object.__new__(_Read)
        found.embedding, found.labeller = self.embedding, self.labeller
        x = self.embedding(torch.tensor([[unit]]))[:, 0]
        found.last, found.states = self.labeller.stack.step(x, self.states)
        found.count, found.total = self.count + 1, self.total + found.last
        found.most = torch.maximum(self.most, found.last) if self.count else found.last
        return found

    def scores(self) -> Tensor:
        labeller: Labeller = self.labeller
        pools = {"last": self.last, "mean": self.total / max(self.count, 1), "max": self.most}
        return labeller.head(torch.cat([pools[kind] for kind in labeller.plan.pooling], 1))


class _Text:
    """One document: its text, and what was read of it up to its last unit, which the next piece may make longer."""

    def __init__(self, network: Labellers) -> None:
        self.text, self.units = "", np.empty(0, np.int32)
        self.read = [_Read(member) for member in network.members]


class DocumentStream:
    """State of many documents at once, keyed by id. `push` takes a piece of one and gives the labels of it so far.

    A piece costs a step per unit in it. Texts longer than a document may be are refused.
    """

    def __init__(self, task: DocumentTask, network: Labellers) -> None:
        self.task, self.network = task, network.eval()
        self.id, (self.source,) = task.layout.id or "id", task.layout.source
        self._texts: dict[Any, _Text] = {}

    @torch.no_grad()
    def push(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The answer after this piece of text, a dictionary of id and the columns of `predict`."""
        row = with_id(row, self.task.layout.id)
        check_values(row, (self.source, self.task.layout.id))
        if not isinstance(row[self.source], str):
            raise DataError(f"{self.source!r} is {row[self.source]!r}; expected a piece of a document, as text")
        given = row.get(self.id)
        key = known_by(given, self.id)
        held = self._texts.get(key) or _Text(self.network)
        text = held.text + row[self.source]
        units = self.task.text.encode(text)
        if len(units) > MOST_UNITS:
            raise DataError(f"the text has {len(units):,} units by now; a stream reads {MOST_UNITS:,} at most")
        known = held.read[
            0
        ].count  # units that were read and stay as they are, unless the piece changed how the text is cut
        goes_on = len(units) > known and np.array_equal(units[:known], held.units[:known])
        read = held.read if goes_on else _Text(self.network).read
        for unit in units[read[0].count : -1].tolist():
            read = [one.after(unit) for one in read]
        held.text, held.units, held.read = text, units, read
        self._texts[key] = held
        now = [one.after(int(units[-1])) for one in read] if len(units) else read
        scores = self.network.together([one.scores() for one in now]).double().numpy()
        columns = self.task.columns(self.task.decode(self.task.joined(scores, self._document(text))))
        return {self.id: given} | {column.name: column.to_list()[0] for column in columns}

    def _document(self, text: str) -> Documents:
        return Documents(np.zeros(1, np.int64), [text], None, None, self.task.layout)
