"""Vectors of groups of units, beside the same by a loop."""

from __future__ import annotations

import pytest
import torch

from saiki.network.grams import Grams, GramSteps

UNITS, LONGEST, WIDTH = 5, 3, 4


@pytest.fixture
def grams() -> Grams:
    torch.manual_seed(0)
    base = UNITS + 2
    groups = [(0, 1), (1, 1), (4, 0), (0, 1, 1), (4, 0, 1)]
    keys = sorted(sum((unit + 1) * base**j for j, unit in enumerate(reversed(group))) for group in groups)
    made = Grams(UNITS, LONGEST, len(keys), WIDTH, 1.0)
    made.keys.copy_(torch.tensor(keys))
    return made


def by_hand(grams: Grams, text: list[int]) -> torch.Tensor:
    known, base = grams.keys.tolist(), UNITS + 2
    answers = []
    for end in range(1, len(text) + 1):
        total = torch.zeros(WIDTH)
        for length in range(2, LONGEST + 1):
            group = text[max(0, end - length) : end]
            key = sum((unit + 1) * base**j for j, unit in enumerate(reversed(group)))
            if len(group) == length and key in known:
                total = total + grams.table.weight[known.index(key)]
        answers.append(total)
    return torch.stack(answers)


def test_the_sum_of_the_groups_that_end_there(grams):
    text = torch.randint(UNITS, (2, 40), generator=torch.Generator().manual_seed(1))
    x, _ = grams(text, grams.initial_state(2))
    expected = torch.stack([by_hand(grams, row) for row in text.tolist()])
    assert (expected != 0).any()
    torch.testing.assert_close(x, expected)


@pytest.mark.parametrize("cut", [1, 2, 5, 39])
def test_a_text_may_be_read_in_parts(grams, cut):
    text = torch.randint(UNITS, (3, 40), generator=torch.Generator().manual_seed(2))
    whole, after = grams(text, grams.initial_state(3))
    first, recent = grams(text[:, :cut], grams.initial_state(3))
    second, last = grams(text[:, cut:], recent)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(last.units, after.units)


def test_only_the_rows_that_were_read_have_gradients(grams):
    x, _ = grams(torch.tensor([[0, 1, 1, 3]]), grams.initial_state(1))
    x.sum().backward()
    base = UNITS + 2
    read = [1 * base + 2, 2 * base + 2, (1 * base + 2) * base + 2]
    rows = grams.table.weight.grad.any(1).nonzero().flatten()
    assert rows.tolist() == sorted(grams.keys.tolist().index(key) for key in read)


def test_without_any_group_nothing_is_added():
    x, _ = Grams(UNITS, LONGEST, 0, WIDTH, 1.0)(
        torch.tensor([[0, 1, 1]]), Grams(UNITS, LONGEST, 0, WIDTH, 1.0).initial_state(1)
    )
    assert not x.any()


def test_unit_by_unit_as_all_at_once(grams):
    tokens = torch.tensor([[0, 1, 0, 2, 1, 1, 0, 1, 2]])
    whole, recent = grams(tokens, grams.initial_state(1))
    steps = GramSteps(grams)
    for place, unit in enumerate(tokens[0].tolist()):
        assert torch.allclose(steps.push(unit), whole[0, place], atol=1e-6)
    assert torch.equal(steps.state.units, recent.units)
    kept, first = steps.state, steps.push(1)
    steps.state = kept
    assert torch.equal(steps.push(1), first)


def test_unit_by_unit_without_any_group():
    none = GramSteps(Grams(UNITS, LONGEST, 0, WIDTH, 1.0))
    assert torch.equal(none.push(1), torch.zeros(WIDTH))
