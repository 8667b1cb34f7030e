"""How much of a baseline the answers take: what was held out says.

    z = ((1 - share) z_network + share z_baseline) / temperature

z are logarithms of probabilities up to a constant; where labels stand apart, logits. Few documents are not enough for a network
to learn which words matter, a regression on their counts knows at once; order and context are the network's part. They err on
different documents, so that both together answer better than either. Without anything held out the share is 0.
Source: the logarithmic opinion pool: Genest and Zidek 1986; weights by answers to what was held out: Wolpert 1992, "Stacked
generalization".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from saiki import metrics
from saiki.shapes import Float

if TYPE_CHECKING:
    from saiki.network.labeller import Labellers
    from saiki.tasks._evaluation import Evaluation
    from saiki.tasks._labelling import LabelTask

#: shares that are tried
SHARES = tuple(round(0.05 * k, 2) for k in range(20))
#: what is believed before anything is seen, and how firmly: nats for a share that is 1 from it
BEGIN, PRIOR = 0.3, 5.0
#: the least probability that a baseline gives
LEAST = 1e-6

Scores = Float[np.ndarray, "rows outputs"]


def settle(task: LabelTask, network: Labellers, valid: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give the task its share and the network its temperature; the scores of what is held out with both, and its truth."""
    network.eval()
    scores, truth = task.problem(1, valid).left_out(network)
    network.temperature.fill_(1)
    task.beside = 0.0
    if not len(truth):
        return scores.numpy(), truth.numpy()
    own = task.logarithms(scores)
    heat = partial(task.heat, truth=truth)
    if task.options.baseline_share:
        theirs = task.partner_scores(task.theirs(valid))
        factor, task.beside = factors(own, theirs, lambda z, t: task.mean_loss(z, truth, t), heat)
        found = factor * own + task.beside * theirs
    else:
        factor = 1 / heat(own)
        found = factor * own
    network.temperature.fill_(1 / factor)
    return found, truth.numpy()


def facts(task: LabelTask) -> list[tuple[str, str]]:
    """What is said of the share, if there is one."""
    says = f"{task.partner} has a share in every answer: its scores count {task.beside:.2f} times"
    return [("baseline", says)] if task.beside else []


def tell(told: Evaluation, partner: str, alone: dict[str, float]) -> None:
    """Add the scores of the network alone."""
    name = next(metric for metric in told.ranked_by if metric in alone)
    told.details["alone"] = alone
    told.notes.append(
        f"{partner} has a share in the answers; the network alone has {metrics.label(name)} {alone[name]:.4g}."
    )


def factors(
    network: Scores, baseline: Scores, loss: Callable[[Scores, float], float], temperature: Callable[[Scores], float]
) -> tuple[float, float]:
    """The factors of both with the least loss, in nats per row at a temperature: `z = a z_network + b z_baseline`."""
    best = (np.inf, 1.0, 0.0)
    for share in SHARES:
        mixed = (1 - share) * network + share * baseline
        heat = temperature(mixed)
        believed = loss(mixed, heat) * len(mixed) + PRIOR * (share - BEGIN) ** 2
        best = min(best, (believed, (1 - share) / heat, share / heat))
    return best[1], best[2]


def logarithms(p: Scores) -> Scores:
    """Of probabilities of classes."""
    return np.log(np.maximum(p, LEAST))


def logits(p: Scores) -> Scores:
    """Of probabilities of labels that stand apart."""
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.log(p / (1 - p))
