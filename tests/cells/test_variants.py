"""Variants of the gated cells: first weights, kernels, options without meaning."""

from __future__ import annotations

import pytest
import torch

from saiki import kernels
from saiki.cells import make_cell
from saiki.errors import OptionError


@pytest.mark.parametrize(("name", "blocks"), [("elman", 1), ("gru", 3), ("lstm", 4), ("slstm", 4)])
def test_orthogonal_blocks(name, blocks):
    cell = make_cell(name, 3, 5, recurrent_init="orthogonal")
    for block in cell.weight_hh.chunk(blocks):
        torch.testing.assert_close(block @ block.T, torch.eye(5))


def test_identity_is_that_of_the_irnn():
    cell = make_cell("elman", 3, 5, recurrent_init="identity", nonlinearity="relu")
    assert torch.equal(cell.weight_hh, torch.eye(5))
    assert not cell.bias_ih.any()
    assert not cell.bias_hh.any()
    h = torch.rand(2, 5)
    assert torch.equal(cell.step(torch.zeros(2, 5), type(cell.initial_state(2))(h)).h, h)


def test_forget_bias_is_the_sum_of_both_halves():
    for coupled, rows in ((False, slice(5, 10)), (True, slice(0, 5))):
        cell = make_cell("lstm", 3, 5, forget_bias=1.5, coupled=coupled)
        total = cell.bias_ih + cell.bias_hh
        assert (total[rows] == 1.5).all()
        assert (total == 1.5).sum() == 5


@pytest.mark.parametrize(("name", "keep", "take"), [("lstm", 1, 0), ("gru", 1, None)])
def test_chrono_biases_reach_the_longest_lag(name, keep, take):
    cell = make_cell(name, 3, 2000, chrono=100)
    total = (cell.bias_ih + cell.bias_hh).detach().chunk(cell.blocks)
    lags = total[keep].exp()
    assert lags.min() >= 1 - 1e-5
    assert lags.max() <= 99.001
    assert lags.mean().item() == pytest.approx(50, abs=3)  # uniform between 1 and 99
    if take is not None:
        assert torch.equal(total[take], -total[keep])


@pytest.mark.parametrize("options", [{"peephole": True}, {"coupled": True}, {"reset": "before"}])
def test_a_variant_never_takes_the_plain_kernel(options):
    name = "gru" if "reset" in options else "lstm"
    cell = make_cell(name, 3, 5, **options)
    found = kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2))
    assert isinstance(found, str) or found.kernel == f"{name}_steps"


@pytest.mark.parametrize("options", [{"recurrent_init": "orthogonal"}, {"forget_bias": 1.0}, {"chrono": 9}])
def test_first_weights_do_not_cost_the_kernel(options):
    cell = make_cell("lstm", 3, 5, **options)
    assert kernels.match("lstm", {}, len(cell.weights()), "cpu", torch.float32) == kernels.find(
        cell, torch.zeros(2, 3), cell.initial_state(2)
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gru", {"reset": "never"}, "reset: got 'never'"),
        ("gru", {"recurrent_init": "identity"}, "recurrent_init: got 'identity'; this cell takes uniform or orth"),
        ("gru", {"peephole": True}, "'peephole' has no meaning for the cell 'gru'; it belongs to: lstm"),
        ("lstm", {"chrono": 1}, "chrono: got 1"),
        ("lstm", {"chrono": 9, "forget_bias": 1.0}, "forget_bias and chrono both set"),
        ("gru", {"chrono": 9, "bias": False}, "chrono: this cell has no biases"),
    ],
)
def test_what_has_no_meaning_is_one_line(name, options, message):
    with pytest.raises(OptionError, match=message):
        make_cell(name, 3, 5, **options)
