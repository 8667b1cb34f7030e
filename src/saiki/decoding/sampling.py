"""Sampling: units drawn by their probability, after temperature and after filters that leave out the improbable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class Sampling(BaseModel):
    """How units are drawn. The filters act in the order of the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repetition_penalty: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Divides the odds of units among the last 64; 1 leaves them."
    )
    temperature: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Below 1 more probable, above 1 bolder, 0 the most probable."
    )
    top_k: int | None = Field(None, ge=1, description="Draw from so many units, the most probable.")
    top_p: float | None = Field(
        None, gt=0, le=1, description="Draw from the fewest units that have this share of the probability together."
    )
    typical: float | None = Field(
        None, gt=0, le=1, description="The same share of units whose surprise is nearest to the expected one."
    )


#: units that the repetition penalty looks back on
LOOKBACK = 64


def probabilities(logarithms: np.ndarray, options: Sampling, before: Sequence[int] = ()) -> np.ndarray:
    """log p of all units `[units]` to the probabilities that are drawn from, in double precision.

    before  the units so far, for the repetition penalty

    Source: top-p: Holtzman et al. 2020 (arXiv 1904.09751); typical: Meister et al. 2023 (arXiv 2202.00666), equation 12;
    repetition penalty: a bias of -log(penalty) on log p, so that it does not depend on the zero of the scores as the rule of
    Keskar et al. 2019 (arXiv 1909.05858) does.
    """
    scores = logarithms.astype(np.float64)
    if options.repetition_penalty != 1 and len(before):
        scores[np.unique(before[-LOOKBACK:])] -= np.log(options.repetition_penalty)
    if options.temperature == 0:
        found = np.zeros(len(scores))
        found[int(scores.argmax())] = 1
        return found
    p = np.exp((scores - scores.max()) / options.temperature)
    p /= p.sum()
    if options.top_k is not None and options.top_k < len(p):
        p = _only(p, np.argsort(-p, kind="stable")[: options.top_k])
    if options.top_p is not None:
        p = _share(p, np.argsort(-p, kind="stable"), options.top_p)
    if options.typical is not None:
        surprise = -np.log(np.maximum(p, 1e-300))
        p = _share(p, np.argsort(np.abs(surprise - (p * surprise).sum()), kind="stable"), options.typical)
    return p


def _only(p: np.ndarray, kept: np.ndarray) -> np.ndarray:
    found = np.zeros_like(p)
    found[kept] = p[kept]
    return found / found.sum()


def _share(p: np.ndarray, order: np.ndarray, share: float) -> np.ndarray:
    """The first units in this order that have the share together; at least one."""
    count = int(np.searchsorted(np.cumsum(p[order]), share - 1e-12)) + 1
    return _only(p, order[:count])


def draw(p: np.ndarray, rng: np.random.Generator) -> int:
    """One unit, by its probability."""
    total = p.cumsum()
    return min(int(total.searchsorted(rng.random() * total[-1], side="right")), len(p) - 1)
