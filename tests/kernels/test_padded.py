"""A padded batch, in any order and either layout, gives what its packed steps give, bit for bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.conftest import KERNELS

from saiki import kernels
from saiki.network.packing import Packing, packing


def padded(case, layout: Packing, batch_first: bool, lengths) -> list[torch.Tensor]:
    """y, final states and gradients of the problem on a padded batch with NaN in its padding, brought back to packed order."""
    x = layout.pad(case.x.detach()).clone()
    x[layout.pad(torch.ones(len(case.x), 1))[..., 0] == 0] = torch.nan
    x.requires_grad_()
    state = [layout.unsort(s.detach()).requires_grad_() for s in case.state]
    weights = [*case.weights, None, None][:4]
    y, final = kernels.unroll(case.kernel, x, state, weights, lengths, case.reverse, None, batch_first)
    into = [layout.pad(case.into[0]), *map(layout.unsort, case.into[1:])]
    dx, *rest = torch.autograd.grad([y, *final], [x, *state, *case.weights], into)
    for tensor in (y, dx):
        assert torch.equal(layout.pad(layout.pack(tensor)), tensor), "the padding is not zero"
    dstate, dweights = rest[: len(state)], rest[len(state) :]
    return [layout.pack(y), *map(layout.sort, final), layout.pack(dx), *map(layout.sort, dstate), *dweights]


@settings(max_examples=80, deadline=None)
@given(
    kernel=st.sampled_from(KERNELS),
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=20).filter(any),
    more=st.integers(0, 3),
    size=st.tuples(st.integers(1, 40), st.integers(1, 80)),
    reverse=st.booleans(),
    batch_first=st.booleans(),
    threads=st.integers(1, 3),
)
def test_padded_is_packed(problem, kernel, lengths, more, size, reverse, batch_first, threads):
    torch.set_num_threads(threads)
    case = problem(kernel, sorted(lengths, reverse=True), *size, reverse=reverse)
    expected = case.kernel_outputs()
    expected += case.gradients(expected)
    given_lengths = torch.tensor(lengths)
    layout = packing(given_lengths, len(lengths), max(lengths) + more, batch_first=batch_first)
    got = padded(case, layout, batch_first, None if layout.index is None else given_lengths)
    for one, other in zip(got, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("lengths", [[2, 4], [-1, 2, 2], [2, 2]])
def test_what_is_no_batch_is_refused(lengths):
    x, weight = torch.randn(3, 3, 2), torch.randn(5, 2)
    given_lengths = torch.tensor(lengths)
    with pytest.raises(ValueError, match="lengths"):
        kernels.unroll("elman_tanh", x, [torch.zeros(3, 5)], [weight, torch.randn(5, 5), None, None], given_lengths)
