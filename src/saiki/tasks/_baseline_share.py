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

import numpy as np

from saiki.shapes import Float

#: shares that are tried
SHARES = tuple(round(0.05 * k, 2) for k in range(20))
#: what is believed before anything is seen, and how firmly: nats for a share that is 1 from it
BEGIN, PRIOR = 0.3, 5.0
#: the least probability that a baseline gives
LEAST = 1e-6

Scores = Float[np.ndarray, "rows outputs"]


def settle(
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
