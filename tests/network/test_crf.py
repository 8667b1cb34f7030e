"""The conditional random field against sums over all sequences of labels, on rows of any length."""

from __future__ import annotations

import itertools

import pytest
import torch

from saiki.errors import DataError
from saiki.network.crf import CRF

LENGTHS = torch.tensor([3, 0, 4, 1])


@pytest.fixture
def field():
    crf = CRF(3).double()
    for weight in crf.parameters():
        torch.nn.init.normal_(weight)
    return crf


@pytest.fixture
def scores():
    values = torch.randn(4, 4, 3, dtype=torch.float64)
    inside = torch.arange(4) < LENGTHS[:, None]
    return values.masked_fill(~inside[..., None], float("nan"))


def _worth(crf, scores, labels):
    total = crf.start[labels[0]] + crf.end[labels[-1]]
    total = total + sum(scores[t, label] for t, label in enumerate(labels))
    return total + sum(crf.passing[a, b] for a, b in itertools.pairwise(labels))


def _every(length):
    return list(itertools.product(range(3), repeat=length))


def test_probability_is_a_share_of_all_sequences(field, scores):
    y = torch.randint(3, (4, 4))
    found = field(scores, y, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        if not length:
            assert found[row] == 0
            continue
        every = torch.stack([_worth(field, scores[row], labels) for labels in _every(length)])
        expected = _worth(field, scores[row], y[row, :length].tolist()) - torch.logsumexp(every, 0)
        torch.testing.assert_close(found[row], expected)


def test_the_best_sequence_is_found(field, scores):
    found = field.decode(scores, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        expected = max(_every(length), key=lambda labels: _worth(field, scores[row], labels).item()) if length else ()
        assert tuple(found[row]) == expected


def test_gradients(field):
    scores = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    y, lengths = torch.randint(3, (2, 3)), torch.tensor([2, 3])

    def run(scores, *_):
        return field(scores, y, lengths)

    assert torch.autograd.gradcheck(run, (scores, *field.parameters()))


def test_padding_gives_no_gradient(field):
    scores = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(
        field(scores, torch.zeros(2, 3, dtype=torch.long), torch.tensor([1, 3])).sum(), scores
    )
    assert not gradient[0, 1:].any()
    assert gradient[0, 0].any()


def test_a_wrong_shape_is_one_line(field):
    with pytest.raises(DataError, match=r"scores: got shape \(2, 3\); expected \[batch, time, 3\]"):
        field.decode(torch.zeros(2, 3), torch.tensor([1, 1]))


def test_marginals_are_shares_of_all_sequences(field, scores):
    found = field.marginals(scores, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        assert (found[row, length:] == 0).all()
        expected = torch.zeros(length, 3, dtype=torch.float64)
        if length:
            worth = torch.stack([_worth(field, scores[row], labels) for labels in _every(length)]).softmax(0)
            for share, labels in zip(worth, _every(length), strict=True):
                expected[range(length), list(labels)] += share
        torch.testing.assert_close(found[row, :length], expected)
    assert field.marginals(scores[:, :0], torch.zeros(4, dtype=torch.long)).shape == (4, 0, 3)
