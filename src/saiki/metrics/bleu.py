"""BLEU: how many runs of one to four words of an answer stand in the truth, over all texts, in percent.

Source: Papineni et al. 2002, as sacrebleu computes it (Post 2018), which also gives the signature that makes figures
comparable. Texts that are cut into words already are taken as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BETTER = "higher"


def score(truth: Sequence[str], answers: Sequence[str], tokenize: str = "13a") -> float:
    """Of answers and as many truths."""
    return _metric(tokenize).corpus_score(list(answers), [list(truth)]).score


def signature(truth: Sequence[str], answers: Sequence[str], tokenize: str = "13a", lower: bool = False) -> str:
    """What must be said beside the figure; `lower`: of texts that were brought to small letters."""
    metric = _metric(tokenize, lower)
    metric.corpus_score(list(answers), [list(truth)])
    return str(metric.get_signature())


def _metric(tokenize: str, lower: bool = False) -> Any:
    # tokenised text is judged as it is, which the signature says
    return scorer("BLEU")(tokenize=tokenize, lowercase=lower, force=True)


def scorer(name: str) -> Any:
    """A metric of sacrebleu."""
    import sacrebleu.metrics

    return getattr(sacrebleu.metrics, name)
