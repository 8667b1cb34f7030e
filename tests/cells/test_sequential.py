"""What the sequential cells promise beyond the laws of every cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.oracles import sru as sru_oracle

from saiki import kernels
from saiki.cells import make_cell
from saiki.errors import OptionError
from saiki.network.unroll import unroll_reference


def test_the_units_of_indrnn_do_not_see_each_other():
    cell = make_cell("indrnn", 3, 4).double()
    h = torch.randn(2, 4, dtype=torch.float64).abs()
    jacobian = torch.autograd.functional.jacobian(cell.recur, h)
    assert torch.equal(jacobian.sum(2).diagonal(dim1=1, dim2=2), cell.weight_hh.expand(2, 4))
    assert jacobian.abs().sum() == cell.weight_hh.abs().sum() * 2


def test_sru_takes_the_scaled_input_as_highway_where_widths_agree():
    cell = make_cell("sru", 4, 4).double()
    assert cell.weight_ih.shape == (12, 4)
    x, c = torch.randn(1, 4, dtype=torch.float64), torch.randn(1, 4, dtype=torch.float64)
    after = cell.step(cell.project(x), type(cell.initial_state(1))(torch.zeros_like(c), c))
    weights = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    h, (_, expected) = sru_oracle.step(weights, x[0].numpy(), [np.zeros(4), c[0].numpy()])
    torch.testing.assert_close(after.h[0], torch.from_numpy(h))
    torch.testing.assert_close(after.c[0], torch.from_numpy(expected))


@pytest.mark.parametrize("size", [-500.0, 500.0])
def test_slstm_stays_finite_where_its_exponentials_would_not(size):
    cell = make_cell("slstm", 1, 4)
    with torch.no_grad():
        cell.weight_ih.fill_(size)
    x = torch.ones(20, 1).requires_grad_()
    y, final = unroll_reference(cell, x, torch.ones(20, dtype=torch.int64), cell.initial_state(1))
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(part.isfinite().all() for part in final)


def test_slstm_normalises_a_constant_candidate_away():
    """c / n is a weighted mean of the candidates: with one candidate everywhere, it is that candidate."""
    cell = make_cell("slstm", 1, 4, bias=False).double()
    with torch.no_grad():
        cell.weight_hh.zero_()
        cell.weight_ih[8:12] = 0.3
        cell.weight_ih[12:] = 0.7
    y, _ = unroll_reference(cell, torch.ones(9, 1).double(), torch.ones(9, dtype=torch.int64), cell.initial_state(1))
    expected = torch.sigmoid(torch.tensor(0.7)) * torch.tanh(torch.tensor(0.3))
    torch.testing.assert_close(y, torch.full((9, 4), expected.item(), dtype=torch.float64))


def test_rhn_begins_by_carrying_and_wants_a_layer():
    cell = make_cell("rhn", 3, 4, depth=3)
    assert (cell.bias_hh[:, 4:] == -2).all()
    assert not cell.bias_hh[:, :4].any()
    with pytest.raises(OptionError, match="depth: got 0"):
        make_cell("rhn", 3, 4, depth=0)


@pytest.mark.parametrize("name", ["indrnn", "rhn", "slstm", "sru"])
def test_no_other_kernel_is_mistaken_for_theirs(name):
    cell = make_cell(name, 3, 5)
    found = kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2))
    assert isinstance(found, str) or found.kernel == f"{name}_steps"
