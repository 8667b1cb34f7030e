"""Greedy choice and beam search on chains whose best answers can be listed."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from saiki.decoding.beam import beam
from saiki.decoding.greedy import greedy
from saiki.errors import OptionError

END, KINDS, LENGTH = 0, 4, 4


@pytest.fixture
def chain():
    """A chain of second order per row: scores depend on the two last tokens and on the row."""
    table = torch.randn(3, KINDS, KINDS, KINDS, dtype=torch.float64)

    def step(tokens, state):
        row, before = state
        return table[row, before, tokens], (row, tokens)

    return table, step


def _state(rows):
    return torch.tensor(rows), torch.full((len(rows),), END)


def _first(rows):
    return torch.full((len(rows),), END)


def _every(table, row, length):
    """All answers that end in time, with their log-probabilities."""
    found = []
    for steps in range(length):
        for tokens in itertools.product(range(1, KINDS), repeat=steps):
            line, total = [END, END, *tokens, END], 0.0
            for a, b, c in zip(line, line[1:], line[2:], strict=False):
                total += table[row, a, b].log_softmax(0)[c].item()
            found.append((list(tokens), total))
    return found


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_as_wide_as_everything_finds_the_best(chain, penalty):
    table, step = chain
    found = beam(step, _state([0, 1, 2]), _first([0, 1, 2]), end=END, length=LENGTH, width=200, penalty=penalty)
    for row, candidates in enumerate(found):
        rank = lambda pair: pair[1] / ((5 + len(pair[0]) + 1) / 6) ** penalty  # noqa: E731
        ended = [c for c in candidates if len(c.tokens) < LENGTH]
        best = max(_every(table, row, LENGTH), key=rank)
        assert ended[0].tokens == best[0]
        assert ended[0].log_probability == pytest.approx(best[1])
        assert ended[0].score == pytest.approx(rank(best))


def test_a_beam_of_one_is_greedy(chain):
    _, step = chain
    rows = [0, 1, 2]
    plain = greedy(step, _state(rows), _first(rows), end=END, length=9)
    assert [c[0].tokens for c in beam(step, _state(rows), _first(rows), end=END, length=9, width=1)] == plain


@pytest.mark.parametrize("width", [1, 3])
def test_together_is_one_by_one(chain, width):
    _, step = chain
    options = {"end": END, "length": 7, "width": width}
    together = beam(step, _state([2, 0, 1, 0]), _first([2, 0, 1, 0]), **options)
    alone = [beam(step, _state([row]), _first([row]), **options)[0] for row in [2, 0, 1, 0]]
    assert together == alone


@pytest.mark.parametrize("width", [1, 3])
def test_every_answer_has_a_length_of_its_own(width):
    table = torch.randn(3, KINDS, KINDS, dtype=torch.float64)
    table[..., END] = -3.0  # answers end rarely, so that their lengths are told to them

    def step(tokens, state):
        return table[state[0], tokens], state

    rows, most = [2, 0, 1, 0], torch.tensor([5, 0, 7, 2])
    search = (lambda *given, **k: beam(*given, **k, width=width)) if width > 1 else greedy
    together = search(step, _state(rows), _first(rows), end=END, length=most)
    alone = [
        search(step, _state([row]), _first([row]), end=END, length=int(n))[0] for row, n in zip(rows, most, strict=True)
    ]
    assert together == alone
    lengths = [len(found[0].tokens if width > 1 else found) for found in together]
    assert all(got <= asked for got, asked in zip(lengths, most.tolist(), strict=True))
    assert max(lengths) > 2


def test_no_gram_comes_twice():
    scores = torch.tensor([[-9.0, 3.0, 2.0, 1.0]])

    def step(tokens, state):
        return scores.expand(len(tokens), -1), state

    def grams(tokens):
        return list(itertools.pairwise(tokens))

    free = beam(step, torch.zeros(1, 1), _first([0]), end=END, length=8, width=2)[0][0].tokens
    held = beam(step, torch.zeros(1, 1), _first([0]), end=END, length=8, width=2, block=2)[0][0].tokens
    assert len(set(grams(free))) < len(grams(free))
    assert len(set(grams(held))) == len(grams(held))


def test_where_nothing_may_follow_answers_end():
    scores = torch.tensor([[-math.inf, 3.0, 2.0, 1.0]])

    def step(tokens, state):
        return scores.expand(len(tokens), -1), state

    found = beam(step, torch.zeros(1, 1), _first([0]), end=END, length=9, width=2, block=1)[0]
    assert [sorted(c.tokens) for c in found] == [[1, 2, 3], [1, 2, 3]]
    assert found[0].log_probability == pytest.approx(scores[0].log_softmax(0)[1:].sum().item())


def test_answers_end_and_come_in_order(chain):
    _, step = chain
    for candidates in beam(step, _state([0, 1]), _first([0, 1]), end=END, length=5, width=4):
        assert len(candidates) == 4
        assert all(END not in c.tokens and len(c.tokens) <= 5 and math.isfinite(c.score) for c in candidates)
        assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)


def test_nothing_to_answer_and_no_length(chain):
    _, step = chain
    assert beam(step, _state([]), _first([]), end=END, length=3) == []
    assert greedy(step, _state([0]), _first([0]), end=END, length=0) == [[]]
    with pytest.raises(OptionError, match="beam: got width 0"):
        beam(step, _state([0]), _first([0]), end=END, length=3, width=0)


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("length", [5, 20])
def test_improbable_ends_do_not_close_a_better_answer(width, length):
    """Sure of 2 eight times, then of the end; an end a step earlier is among the best five every time."""

    def step(tokens, state):
        (count,) = state
        scores = torch.full((len(tokens), 12), -9.0)
        scores[:, END], scores[:, 2] = -4.6, -0.01
        done = (count >= 8).squeeze(1)
        scores[done] = -9.0
        scores[done, END] = -0.001
        return scores, (count + 1,)

    found = beam(step, (torch.zeros(1, 1),), torch.tensor([END]), end=END, length=length, width=width)[0][0]
    assert found.tokens == [2] * min(8, length)


def test_an_answer_that_never_ends_does_not_win_by_its_length():
    """A loop whose every token is likelier than those of the answer, but not the whole of it."""

    def step(tokens, state):
        (count,) = state
        scores = torch.full((len(tokens), 4), -20.0)
        scores[count.squeeze(1) == 0, 1], scores[count.squeeze(1) == 0, 2] = -0.6, -0.8
        begun = count.squeeze(1) > 0
        scores[begun & (tokens == 1), 1], scores[begun & (tokens == 1), END] = -0.15, -20.0
        scores[begun & (tokens == 2), END] = -0.001
        return scores, (count + 1,)

    found = beam(step, (torch.zeros(1, 1),), torch.tensor([END]), end=END, length=30, width=1 + 1, penalty=1.0)[0]
    assert [2] in [one.tokens for one in found]
