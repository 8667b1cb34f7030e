"""Making cells: names, options, first weights, and weights lent for one unroll."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from saiki import catalog
from saiki.cells import Cell, cell_class, make_cell
from saiki.errors import OptionError

TORCH = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def test_the_folder_is_the_list():
    assert {"elman", "gru", "lstm"} <= set(catalog.names("cells"))
    for name in catalog.names("cells"):
        assert issubclass(cell_class(name), Cell)
        assert cell_class(name).__doc__
        assert "Source:" in cell_class(name).__doc__


@pytest.mark.parametrize("name", TORCH)
def test_first_weights_are_torchs(name):
    torch.manual_seed(4)
    cell = make_cell(name, 3, 5)
    torch.manual_seed(4)
    layer = TORCH[name](3, 5)
    for weight, expected in zip(cell.parameters(), layer.parameters(), strict=True):
        assert torch.equal(weight, expected)
    assert [f"{key}_l0" for key in cell.state_dict()] == list(layer.state_dict())


def test_first_weights_of_a_projection_are_torchs_in_shape_and_range():
    cell, layer = make_cell("lstm", 3, 5, projection=2), nn.LSTM(3, 5, proj_size=2)
    assert {f"{k}_l0": w.shape for k, w in cell.state_dict().items()} == {
        k: w.shape for k, w in layer.state_dict().items()
    }
    assert all(0 < weight.abs().max() <= 5**-0.5 for weight in cell.parameters())


def test_an_unknown_cell_is_one_line_with_near_misses():
    with pytest.raises(OptionError, match=r"unknown cell 'grru'; did you mean 'gru' or"):
        make_cell("grru", 3, 4)


def test_an_option_of_another_cell_names_the_cells_that_have_it():
    with pytest.raises(OptionError, match="'projection' has no meaning for the cell 'gru'; it belongs to: lstm"):
        make_cell("gru", 3, 4, projection=2)
    with pytest.raises(OptionError, match="no cell has it"):
        make_cell("gru", 3, 4, wings=2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("elman", {"nonlinearity": "gelu"}, "nonlinearity: got 'gelu'; expected 'tanh' or 'relu'"),
        ("lstm", {"projection": 4}, "projection: got 4"),
        ("lstm", {"projection": -1}, "projection: got -1"),
    ],
)
def test_a_wrong_option_is_one_line(name, options, message):
    with pytest.raises(OptionError, match=message):
        make_cell(name, 3, 4, **options)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"projection": 2}])
def test_lent_weights_are_used_and_given_back(options):
    cell = make_cell("lstm", 3, 4, **options)
    kept = cell.weights()
    lent = tuple(None if w is None else torch.randn_like(w) for w in kept)
    twin = cell.using(lent)
    x = torch.randn(2, 3)
    expected = nn.functional.linear(x, lent[0], lent[2])
    assert torch.equal(twin.project(x), expected)
    assert all(a is b for a, b in zip(twin.weights(), lent, strict=True))
    assert all(a is b for a, b in zip(cell.weights(), kept, strict=True))
    assert [name for name, _ in cell.named_parameters()] == list(cell.state_dict())


def test_repr_says_the_sizes():
    assert repr(make_cell("gru", 3, 4)) == "GRU(3, 4)"
    assert repr(make_cell("gru", 3, 4, bias=False)) == "GRU(3, 4, bias=False)"
