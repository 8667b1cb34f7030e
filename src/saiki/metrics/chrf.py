"""chrF: precision and recall of runs of one to six characters, over all texts, in percent.

Source: Popović 2015, as sacrebleu computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from saiki.metrics.bleu import scorer

BETTER = "higher"


def score(truth: Sequence[str], answers: Sequence[str]) -> float:
    """Of answers and as many truths."""
    return scorer("CHRF")().corpus_score(list(answers), [list(truth)]).score
