"""Spans of IOB2 and IOBES as seqeval reads them, and their F1."""

import pytest

from saiki.metrics import span_f1
from saiki.metrics._spans import counts, spans, spelt


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("B-PER I-PER O B-LOC", [("PER", 0, 1), ("LOC", 3, 3)]),
        ("B-PER B-PER", [("PER", 0, 0), ("PER", 1, 1)]),
        ("B-PER I-LOC", [("PER", 0, 0), ("LOC", 1, 1)]),  # another kind begins another span
        ("O I-PER I-PER", [("PER", 1, 2)]),  # a span that goes on without having begun
        ("B-PER E-PER S-LOC E-LOC", [("PER", 0, 1), ("LOC", 2, 2), ("LOC", 3, 3)]),
        ("B-PER I-PER L-PER U-LOC L-LOC", [("PER", 0, 2), ("LOC", 3, 3), ("LOC", 4, 4)]),
        ("B-PER O I-PER", [("PER", 0, 0), ("PER", 2, 2)]),
        ("E-PER E-PER I-PER", [("PER", 0, 0), ("PER", 1, 1), ("PER", 2, 2)]),
        ("B-a-b I-a-b", [("a-b", 0, 1)]),
        ("", []),
        ("O O", []),
    ],
)
def test_spans(labels, expected):
    assert spans(labels.split()) == expected


def test_f1_by_hand():
    truth = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"]]
    said = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "B-LOC"]]
    assert counts(truth, said) == {"LOC": (2, 3, 2), "PER": (0, 1, 1)}
    assert span_f1.score(truth, said) == pytest.approx(2 * 2 / (4 + 3))
    assert span_f1.score(truth, truth) == 1.0


def test_what_are_labels_of_spans():
    assert spelt(["O", "B-PER", "I-PER"])
    assert spelt(["S-X", "O"])
    assert not spelt(["O", "I-PER"])
    assert not spelt(["NOUN", "B-PER"])
