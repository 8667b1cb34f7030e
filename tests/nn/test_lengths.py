"""Padded rows of different lengths, and PackedSequence in and out."""

from __future__ import annotations

import pytest
import torch
from tests.cases import CASES, Case
from tests.nn.pairs import KINDS, Pair
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

import saiki

LENGTHS = torch.tensor([3, 6, 1, 6])


def _pair(kind: str, **more) -> Pair:
    return Pair(kind, Case(4, 6, 3, 4, layers=2, bidirectional=True), **more)


def _hx(pair: Pair):
    return pair.hx[0] if len(pair.hx) == 1 else tuple(pair.hx)


def _tensors(y: PackedSequence, final) -> list[torch.Tensor]:
    return [y.data, *(final if isinstance(final, tuple) else (final,))]


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequence_in_and_out(kind, enforce_sorted, path):
    """Data layout, counts, indices, final states and gradients are those of torch."""
    pair = _pair(kind)
    lengths = LENGTHS.sort(descending=True).values if enforce_sorted else LENGTHS
    answers, grads = [], []
    for layer in (pair.ours, pair.torchs):
        packed = pack_padded_sequence(pair.x, lengths, enforce_sorted=enforce_sorted)
        y, final = layer(packed, _hx(pair))
        assert isinstance(y, PackedSequence)
        answers.append((y, final))
        total = sum((tensor * tensor.detach().cos()).sum() for tensor in _tensors(y, final))
        grads.append(torch.autograd.grad(total, [pair.x, *pair.hx, *layer.parameters()]))
    (ours, final), (torchs, final_torch) = answers
    assert torch.equal(ours.batch_sizes, torchs.batch_sizes)
    for index in ("sorted_indices", "unsorted_indices"):
        one, other = getattr(ours, index), getattr(torchs, index)
        assert (one is None and other is None) or torch.equal(one, other)
    torch.testing.assert_close(_tensors(ours, final), _tensors(torchs, final_torch), rtol=0, atol=1e-10)
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_and_packing_agree(kind, path):
    pair = _pair(kind)
    packed, final = pair.ours(pack_padded_sequence(pair.x, LENGTHS, enforce_sorted=False), _hx(pair))
    y, final_padded = pair.ours(pair.x, _hx(pair), LENGTHS)
    torch.testing.assert_close(y, pad_packed_sequence(packed)[0])
    torch.testing.assert_close(final_padded, final)


def test_packed_sequence_of_one_row(path):
    pair = _pair("lstm")
    packed = pack_sequence([torch.randn(5, 3, dtype=torch.float64)])
    torch.testing.assert_close(pair.ours(packed)[0].data, pair.torchs(packed)[0].data)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_never_matters(kind, batch_first, path):
    """NaN and infinities in the padding reach no output, no state and no gradient."""
    lengths = torch.tensor([2, 0, 6, 5])
    pair = _pair(kind, batch_first=batch_first)
    inside = torch.arange(6) < lengths[:, None]
    inside = (inside if batch_first else inside.T)[..., None]
    answers = []
    for fill in (0.0, float("nan"), float("inf")):
        x = torch.where(inside, pair.x.detach(), fill).requires_grad_()
        y, final = pair.ours(x, _hx(pair), lengths)
        assert not y[~inside.expand_as(y)].any()
        parts = final if isinstance(final, tuple) else (final,)
        grads = torch.autograd.grad(y.sum() + sum(p.sum() for p in parts), [x, *pair.hx, *pair.ours.parameters()])
        answers.append([y, *parts, *grads])
    for answer in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(answer, answers[0], strict=True))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8])
def test_lengths_of_any_whole_dtype_and_as_a_list(dtype):
    layer, x = saiki.nn.GRU(3, 4), torch.randn(6, 4, 3)
    expected = layer(x, None, LENGTHS)
    torch.testing.assert_close(layer(x, lengths=LENGTHS.to(dtype)), expected)
    torch.testing.assert_close(layer(x, lengths=LENGTHS.tolist()), expected)


def test_length_of_a_single_sequence():
    layer, x = saiki.nn.LSTM(3, 4, bidirectional=True), torch.randn(6, 3)
    y, (h, c) = layer(x, lengths=4)
    y_short, (h_short, c_short) = layer(x[:4])
    torch.testing.assert_close((y[:4], h, c), (y_short, h_short, c_short))
    assert not y[4:].any()


def test_full_lengths_are_no_lengths():
    layer, x = saiki.nn.GRU(3, 4, bidirectional=True), torch.randn(6, 4, 3)
    assert torch.equal(layer(x, lengths=torch.full((4,), 6))[0], layer(x)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_empty_rows(kind, path):
    """Final state = initial state; zero gradients, not missing ones."""
    pair = Pair(kind, CASES["only-empty-rows"])
    y, *final = pair.ours_outputs()
    assert not y.any()
    assert all(torch.equal(part, start) for part, start in zip(final, pair.hx, strict=True))
    grads = torch.autograd.grad(y.sum() + sum(p.sum() for p in final), [pair.x, *pair.hx, *pair.ours.parameters()])
    assert not grads[0].any()
    assert all((grad == 1).all() for grad in grads[1 : 1 + len(pair.hx)])
    assert not any(grad.any() for grad in grads[1 + len(pair.hx) :])


@pytest.mark.parametrize("shape", [(0, 3, 3), (5, 0, 3), (0, 0, 3)])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_no_time_and_no_rows_train(name, shape, path):
    layer = getattr(saiki.nn, name)(3, 4, 2, bidirectional=True)
    y, final = layer(torch.randn(shape))
    assert y.shape == (*shape[:2], 8)
    (final[0] if isinstance(final, tuple) else final).sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())
