"""Padded to packed and back: the layout of PackedSequence, for lengths in any order and of 0."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from saiki.errors import DataError
from saiki.network.packing import packing


@st.composite
def problems(draw):
    batch, time = draw(st.integers(0, 6)), draw(st.integers(0, 8))
    return batch, time, draw(st.lists(st.integers(0, time), min_size=batch, max_size=batch))


@given(problems())
def test_there_and_back(problem):
    batch, time, lengths = problem
    x = torch.randn(time, batch, 2)
    layout = packing(torch.tensor(lengths, dtype=torch.int64), batch, time)
    packed = layout.pack(x)
    assert len(packed) == sum(lengths) == int(layout.counts.sum())
    inside = torch.arange(time)[:, None] < torch.tensor(lengths, dtype=torch.int64)
    padded = torch.where(inside[..., None], x, 0)
    assert torch.equal(layout.pad(packed), padded)
    turned = packing(torch.tensor(lengths, dtype=torch.int64), batch, time, batch_first=True)
    assert torch.equal(turned.pack(x.transpose(0, 1)), packed)
    assert torch.equal(turned.pad(packed), padded.transpose(0, 1))
    rows = torch.arange(batch)
    assert torch.equal(layout.unsort(layout.sort(rows)), rows)
    counts = layout.counts.tolist()
    assert counts == sorted(counts, reverse=True)
    assert 0 not in counts


@given(problems())
def test_the_layout_is_that_of_packed_sequence(problem):
    batch, time, lengths = problem
    lengths = [max(1, length) for length in lengths]
    if not batch or not time:
        return
    x = torch.randn(time, batch, 2)
    expected = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    layout = packing(torch.tensor(lengths), batch, time)
    assert torch.equal(layout.counts, expected.batch_sizes)
    # rows of equal length may stand in another order than torch puts them
    if len(set(lengths)) == batch:
        assert torch.equal(layout.pack(x), expected.data)


def test_a_full_batch_is_not_copied():
    x = torch.randn(4, 3, 2)
    layout = packing(None, 3, 4)
    assert layout.pack(x).data_ptr() == x.data_ptr() == layout.pad(layout.pack(x)).data_ptr()
    assert packing(torch.tensor([4, 4, 4]), 3, 4).index is None
    one = torch.randn(1, 4, 2)  # batch first, one row
    assert packing(None, 1, 4, batch_first=True).pack(one).data_ptr() == one.data_ptr()


def test_gradients_of_the_padding_are_zero():
    x = torch.full((3, 2, 1), float("nan"))
    x[:1, 0], x[:2, 1] = 1.0, 2.0
    layout = packing(torch.tensor([1, 2]), 2, 3)
    layout.pad(layout.pack(x.requires_grad_())).sum().backward()
    assert x.grad[..., 0].tolist() == [[1, 1], [0, 1], [0, 0]]


def test_first_and_second_derivatives():
    layout = packing(torch.tensor([1, 0, 3]), 3, 4)
    x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    there_and_back = lambda x: layout.pad(layout.pack(x) ** 3)  # noqa: E731
    assert torch.autograd.gradcheck(there_and_back, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(there_and_back, x)
    jacobian = torch.func.jacrev(there_and_back)(x)
    assert torch.equal(jacobian, torch.func.jacfwd(there_and_back)(x))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([1, 2, 3]), r"got shape \(3,\); expected \(2,\)"),
        (torch.tensor([1, 5]), "from 1 to 5; expected 0 to 4"),
        (torch.tensor([-2, 1]), "from -2 to 1"),
        (torch.tensor([1.0, 2.0]), "got torch.float32; expected whole numbers"),
        (torch.tensor([True, False]), "got torch.bool"),
    ],
)
def test_wrong_lengths_are_one_line(lengths, message):
    with pytest.raises(DataError, match=message):
        packing(lengths, 2, 4)
