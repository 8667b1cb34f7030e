"""What a document was classified from: integrated gradients over the vectors of its units, for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from saiki.tasks._evaluation import Passage
from saiki.tasks._insight import POINTS

if TYPE_CHECKING:
    from saiki.data.texts import Documents
    from saiki.network.reader import TextLabeller, TextLabellers
    from saiki.tasks._documents import DocumentTask

#: documents that are shown; units that are read at once, all points of the path together
SHOWN, TOGETHER = 8, 20_000


def passages(task: DocumentTask, network: TextLabellers, data: Documents) -> list[Passage]:
    """Documents evenly drawn from those that were judged, every unit with what it did for the answer."""
    found, rows = [], np.unique(np.linspace(0, len(data) - 1, min(len(data), SHOWN)).round().astype(int))
    some, answered = data.select(rows), task.answer_names(network, data.select(rows))
    encoded = task._encode(some)
    for row in range(len(some)):
        moved = contributions(
            network, encoded.batch(np.array([row])), int(task.likeliest(network, some.select([row]))[0])
        ).numpy()
        says = f"{some.ids[row]}: answered {answered[row]}, in truth {_truth(some, row)}"
        shown = [piece.replace("\n", "↵") for piece in task.units(some.texts[row])]
        most = max(float(np.abs(moved).max(initial=0)), 1e-9)
        found.append(Passage(says, shown, (moved / most).tolist(), " " if task.text.units == "words" else ""))
    return found


def contributions(
    network: TextLabellers, batch: dict[str, Tensor], answer: int | None = None, points: int = POINTS
) -> Tensor:
    """How far each unit of one document moved the network's score of an answer, by default of its likeliest: `[units]`.

        a_t = x_t · ∫₀¹ ∂F / ∂x_t (s x) ds       x_t: the vector of unit t;  F: the score, the mean over networks

    The path begins where all vectors are 0, as those of units that training drops; the sum over all a is F(x) - F(0) up to
    the error of the midpoint rule.
    Source: Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017, eq. 1 and 3.
    """
    network.eval()
    members = cast("list[TextLabeller]", list(network.members))
    with torch.no_grad():
        answer = int(network(batch).argmax(1)) if answer is None else answer
        vectors = [member.embedding(batch["values"][..., 0]) for member in members]
    total, at_once = torch.zeros(batch["values"].shape[1]), max(1, TOGETHER // max(1, batch["values"].shape[1]))
    for shares in ((torch.arange(points) + 0.5) / points).split(at_once):
        many = {name: value.expand(len(shares), *value.shape[1:]) for name, value in batch.items()}
        at = [(shares[:, None, None] * x).requires_grad_() for x in vectors]
        scores = [member.scores(x, many) for member, x in zip(members, at, strict=True)]
        gradients = torch.autograd.grad(network.together(scores)[:, answer].sum(), at)
        for x, gradient in zip(vectors, gradients, strict=True):
            total += (x[0] * gradient.sum(0)).sum(1) / points
    return total


def _truth(data: Documents, row: int) -> Any:
    """The answer of a document; of a set of labels all of them."""
    answer = None if data.answers is None else data.answers[row]
    if isinstance(answer, str | int | float | bool):
        return answer
    return ", ".join(map(str, () if answer is None else answer))
