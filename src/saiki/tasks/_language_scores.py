"""How well a language model foresees a text, beside the n-gram models that it must beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from saiki.baselines import ngram, unigram
from saiki.data.tokens import Tokens
from saiki.tasks._evaluation import Evaluation

LOG2 = float(np.log(2))


def judge(task: Any, text: Tokens, surprise: np.ndarray, before: np.ndarray | None, about: str) -> Evaluation:
    """The score table of a text.

    surprise  of every unit, in nats
    before    the training text, from which the n-grams are counted; without it only the unigram model stands beside
    """
    units = np.asarray(text.values, np.int64)
    scores = {"saiki": scores_of(surprise, text)}
    scores["unigram"] = scores_of(unigram.surprise(task.counts, units), text)
    if before is not None:
        scores["ngram"] = scores_of(ngram.surprise(before, units, task.codec.size), text)
    notes = []
    if text.unknown:
        notes.append(
            f"{text.unknown:,} of {len(text):,} units are unknown to the model and are judged as one unit: "
            "the scores flatter, those of the baselines too."
        )
    return Evaluation(about, scores, notes, ranked_by=("nats_per_character",))


def scores_of(surprise: np.ndarray, text: Tokens) -> dict[str, float]:
    """Per character, and per unit as perplexity."""
    total = float(surprise.sum(dtype=np.float64))
    nats = total / text.characters
    return {
        "nats_per_character": nats,
        "bits_per_character": nats / LOG2,
        "perplexity": float(np.exp(min(700.0, total / len(text)))),
    }
