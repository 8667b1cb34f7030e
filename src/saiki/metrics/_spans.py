"""Spans in labels of steps: names that begin (B), go on (I), end (E, L) or stand alone (S, U), as IOB2, IOBES and BILOU do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

#: labels of spans: which part of one, and of which kind
_LABEL = re.compile(r"([BIESLU])-(.+)")


def spelt(labels: Iterable[str]) -> bool:
    """Whether labels are those of spans: all are O or a part and a kind, and one at least begins or stands alone."""
    known = set(labels)
    parts = [_LABEL.fullmatch(label) for label in known - {"O"}]
    return all(parts) and any(part and part[1] in "BSU" for part in parts)


def strangers(labels: Iterable[str]) -> list[str]:
    """The labels that keep the others from being those of spans; none where they all are, or few begin one."""
    known = set(labels) - {"O"}
    parts = {label for label in known if _LABEL.fullmatch(label)}
    return sorted(known - parts) if len(parts) > len(known) / 2 and spelt(parts) else []


def spans(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """Kind, first and last step of every span, in order.

    A span goes on while the kind stays and no B or S comes; what goes on without having begun begins one, and E and S (L and U) end
    one: the reading of the program conlleval, which seqeval takes over.
    """
    found, begun, kind, before = [], 0, "", "O"
    for place, label in enumerate([*labels, "O"]):
        match = _LABEL.fullmatch(label)
        part, now = (match[1], match[2]) if match else ("O", "")
        apart = part in "BSUO" or before in "ESLU" or now != kind
        if before != "O" and apart:
            found.append((kind, begun, place - 1))
        if part != "O" and (before == "O" or apart):
            begun = place
        kind, before = now, part
    return found


def counts(truth: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, tuple[int, int, int]]:
    """Of every kind: spans that are right, that are answered, that are true."""
    right, answered, true = Counter(), Counter(), Counter()
    for labels, said in zip(truth, answers, strict=True):
        ours, theirs = set(spans(said)), set(spans(labels))
        answered.update(kind for kind, *_ in ours)
        true.update(kind for kind, *_ in theirs)
        right.update(kind for kind, *_ in ours & theirs)
    return {kind: (right[kind], answered[kind], true[kind]) for kind in sorted(answered | true)}


def f1(right: int, answered: int, true: int) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is right."""
    return 2 * right / (answered + true) if answered + true else 0.0
