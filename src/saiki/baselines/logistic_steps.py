"""Logistic regression on the channels of a step and of two before and behind it; penalty chosen in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.baselines import logistic_summary

if TYPE_CHECKING:
    from saiki.data.tagged import Tagged

TASKS = ("tag",)
#: steps on each side that are looked at, and steps that are learned from at most
SIDE, MOST = 2, 20_000


def fit(data: Tagged, truth: np.ndarray, labels: int) -> dict[str, Any] | None:
    """From series and codes `[steps]`, -1 where unknown: plain data; None for words, and where one label is known."""
    known = np.flatnonzero(truth >= 0)
    if data.words is not None or len(np.unique(truth[known])) < 2:
        return None
    some = np.sort(np.random.default_rng(0).permutation(known)[:MOST])
    return logistic_summary.fit(_around(data)[some], truth[some], labels)


def answer(fitted: dict[str, Any], data: Tagged) -> np.ndarray:
    """Codes `[steps]`."""
    return logistic_summary.answer(fitted, _around(data)).argmax(1)


def _around(data: Tagged) -> np.ndarray:
    """`[steps, numbers]`: the channels of a step and its neighbours, NaN outside the series; categories as 0 and 1."""
    source = data.series.source
    shown = [source.codes[:, [k]] == np.arange(len(values)) for k, values in enumerate(source.values)]
    own = np.concatenate([source.numbers, *shown], 1).astype(float)
    number = np.repeat(np.arange(len(data)), data.lengths)
    parts = []
    for shift in range(-SIDE, SIDE + 1):
        place = np.arange(len(own)) + shift
        inside = (place >= 0) & (place < len(own))
        place = np.where(inside, place, 0)
        inside &= number[place] == number if len(number) else inside
        parts.append(np.where(inside[:, None], own[place] if len(own) else own, np.nan))
    return np.concatenate(parts, 1)
