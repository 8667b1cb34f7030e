"""The reservoir's kernel against its plain loop, in any order of lengths and on any number of threads."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saiki import kernels
from saiki.cells.echo_state import EchoState, EchoStateState
from saiki.kernels.reservoir import reservoir, sparse
from saiki.network.unroll import unroll, unroll_reference

pytestmark = pytest.mark.skipif(not kernels.report()["native"], reason="the native extension is not built")


def draw(lengths, width, dtype=torch.float64, **options):
    torch.manual_seed(0)
    counts = (torch.arange(max(lengths))[:, None] < torch.tensor(lengths)).sum(1)
    cell = EchoState(3, width, **options).to(dtype)
    return (
        cell,
        torch.randn(sum(lengths), 3, dtype=dtype),
        counts,
        EchoStateState(torch.randn(len(lengths), width).to(dtype)),
    )


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=7).filter(any),
    width=st.integers(1, 200),
    density=st.floats(0.2, 1),
    leak=st.floats(0.05, 1),
    reverse=st.booleans(),
    threads=st.integers(1, 3),
)
def test_kernel_is_the_loop(lengths, width, density, leak, reverse, threads):
    torch.set_num_threads(threads)
    given = draw(sorted(lengths, reverse=True), width, density=density, leak=leak)
    assert kernels.find(given[0], given[1], given[3]) is kernels.RESERVOIR
    y, final = unroll(*given, reverse)
    expected, last = unroll_reference(*given, reverse)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(final.h, last.h, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_do_not_depend_on_threads_or_neighbours(dtype):
    cell, x, counts, state = draw([40, 40, 40], 517, dtype)
    answers = []
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        answers.append(unroll(cell, x, counts, state)[0])
    assert all(torch.equal(answers[0], other) for other in answers)
    alone, _ = unroll(cell, x[1::3].contiguous(), torch.ones(40, dtype=torch.int64), EchoStateState(state.h[1:2]))
    assert torch.equal(alone, answers[0][1::3])


def test_a_new_matrix_is_seen():
    """The sparse form is kept between calls, and made anew when the matrix changes in any way."""
    cell, x, counts, state = draw([5, 4], 20)
    before, _ = unroll(cell, x, counts, state)
    with torch.no_grad():
        cell.weight_hh.mul_(0.5)
    torch.testing.assert_close(unroll(cell, x, counts, state)[0], unroll_reference(cell, x, counts, state)[0])
    other = EchoState(3, 20).double()
    cell.load_state_dict(other.state_dict())
    torch.testing.assert_close(unroll(cell, x, counts, state)[0], unroll(other, x, counts, state)[0], rtol=0, atol=0)
    assert not torch.equal(before, unroll(cell, x, counts, state)[0])
    cell.weight_hh.data.mul_(0.5)  # which no version counts
    torch.testing.assert_close(unroll(cell, x, counts, state)[0], unroll_reference(cell, x, counts, state)[0])
    for twin in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(unroll(twin, x, counts, state)[0], unroll(cell, x, counts, state)[0])


def test_a_reservoir_of_inference_mode_runs():
    with torch.inference_mode():
        cell, x, counts, state = draw([5, 4], 8)
        first, _ = unroll(cell, x, counts, state)
        torch.testing.assert_close(first, unroll_reference(cell, x, counts, state)[0])


def test_gradients_pass_through_the_loop():
    cell, x, counts, state = draw([5, 4], 8)
    x.requires_grad_()
    assert "gradient" in kernels.find(cell, x, state)
    torch.autograd.gradcheck(lambda x: unroll(cell, x, counts, state)[0], (x,))


def test_a_matrix_that_points_elsewhere_is_refused():
    matrix = sparse(torch.eye(4))
    given = torch.zeros(2, 4), matrix._replace(columns=matrix.columns + 1), torch.zeros(1, 4), torch.tensor([1, 1])
    with pytest.raises(ValueError, match="columns must be units of the reservoir"):
        reservoir(*given)
    with pytest.raises(ValueError, match="starts must be from 0"):
        reservoir(given[0], matrix._replace(starts=matrix.starts[[0, 1, 1, 2, 3]]), *given[2:])
