"""Attention against loops in NumPy, on rows of any length, and what it must never see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saiki.errors import DataError, OptionError
from saiki.nn import Attention, AttentionPool, CausalAttention

LENGTHS = torch.tensor([5, 2, 0, 1])


def _numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def _softmax(scores):
    grown = np.exp(np.array(scores) - max(scores))
    return grown / grown.sum()


@pytest.mark.parametrize("kind", ["additive", "dot", "general"])
def test_scores_of_the_papers(kind):
    layer = Attention(3, 3, kind).double()
    queries, memory = _numbers(4, 2, 3), _numbers(4, 5, 3)
    context, weights = layer(queries, memory, LENGTHS)
    w = {name: value.detach().numpy() for name, value in layer.named_parameters()}

    def score(q, m):
        if kind == "additive":
            return w["score.weight"][0] @ np.tanh(w["query.weight"] @ q + w["memory.weight"] @ m + w["memory.bias"])
        return q @ m if kind == "dot" else q @ w["memory.weight"] @ m

    for row, length in enumerate(LENGTHS.tolist()):
        for place in range(2):
            inside = memory[row, :length].numpy()
            assert not weights[row, place, length:].any()
            if not length:
                assert not context[row, place].any()
                continue
            expected = _softmax([score(queries[row, place].numpy(), m) for m in inside])
            np.testing.assert_allclose(weights[row, place, :length].detach(), expected)
            np.testing.assert_allclose(context[row, place].detach(), expected @ inside)


def test_pooling():
    layer, h = AttentionPool(3, 4).double(), _numbers(4, 5, 3)
    pooled, weights = layer(h, LENGTHS)
    see, bias, v = (p.detach().numpy() for p in layer.parameters())
    for row, length in enumerate(LENGTHS.tolist()):
        inside = h[row, :length].numpy()
        expected = _softmax([v[0] @ np.tanh(see @ step + bias) for step in inside]) if length else np.zeros(0)
        np.testing.assert_allclose(weights[row, :length].detach(), expected)
        np.testing.assert_allclose(pooled[row].detach(), expected @ inside)


@pytest.mark.parametrize("lookback", [None, 0, 2])
def test_a_step_sees_its_past_only(lookback):
    layer, h = CausalAttention(3, lookback=lookback).double(), _numbers(4, 5, 3)
    output, weights = layer(h, LENGTHS)
    query, key, out, bias = (p.detach().numpy() for p in layer.parameters())
    for row, length in enumerate(LENGTHS.tolist()):
        assert not output[row, length:].any()
        for t in range(length):
            first = 0 if lookback is None else max(0, t - lookback)
            past, now = h[row, first : t + 1].numpy(), h[row, t].numpy()
            expected = _softmax([(query @ now) @ (key @ then) / np.sqrt(3) for then in past])
            np.testing.assert_allclose(weights[row, t, first : t + 1].detach(), expected)
            assert weights[row, t].sum().item() == pytest.approx(1)
            up = np.tanh(out @ np.concatenate([now, expected @ past]) + bias)
            np.testing.assert_allclose(output[row, t].detach(), up)


@pytest.mark.parametrize("make", [lambda: Attention(3, 3), lambda: AttentionPool(3), lambda: CausalAttention(3)])
def test_padding_never_matters(make):
    layer, h = make().double(), _numbers(4, 5, 3)
    queries = (_numbers(4, 2, 3),) if isinstance(layer, Attention) else ()
    answers = []
    for fill in (0.0, float("nan")):
        inside = torch.arange(5) < LENGTHS[:, None]
        padded = torch.where(inside[..., None], h, fill).requires_grad_()
        up, weights = layer(*queries, padded, LENGTHS)
        answers.append([up, weights, *torch.autograd.grad(up.sum(), [padded, *layer.parameters()])])
    for zero, nan in zip(*answers, strict=True):
        assert nan.isfinite().all()
        torch.testing.assert_close(nan, zero)


def test_mistakes_are_one_line():
    with pytest.raises(OptionError, match="kind: got 'cosine'"):
        Attention(3, 3, "cosine")
    with pytest.raises(OptionError, match="kind: got 'dot' for queries of 3 and a memory of 4"):
        Attention(3, 4, "dot")
    with pytest.raises(OptionError, match="width: got 4 for the kind 'general'"):
        Attention(3, 3, "general", width=4)
    with pytest.raises(DataError, match="lengths: got values from 1 to 6; expected 0 to 5"):
        AttentionPool(3)(torch.zeros(2, 5, 3), torch.tensor([1, 6]))
    with pytest.raises(OptionError, match="lookback: got -1"):
        CausalAttention(3, lookback=-1)


def test_shapes_are_one_line():
    layer, queries, memory = Attention(3, 4), torch.zeros(2, 1, 3), torch.zeros(2, 5, 4)
    with pytest.raises(DataError, match=r"queries: got shape \(2, 3\); expected 3 axes"):
        layer(queries[:, 0], memory)
    with pytest.raises(DataError, match=r"memory: got shape .* the last of 4 numbers"):
        layer(queries, queries)
    with pytest.raises(DataError, match="memory: got 1 rows for queries of 2"):
        layer(queries, memory[:1])
    for pool in (AttentionPool(3), CausalAttention(3)):
        with pytest.raises(DataError, match=r"h: got shape .* the last of 3 numbers"):
            pool(memory)
