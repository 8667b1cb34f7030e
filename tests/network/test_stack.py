"""Stacks of layers: the same numbers as saiki.nn, residual connections, streaming, laws of ragged batches."""

from __future__ import annotations

import pytest
import torch
from tests.network.laws import streaming_is_the_whole

import saiki
from saiki import catalog
from saiki.errors import OptionError
from saiki.network.options import Network
from saiki.network.stack import Stack
from saiki.network.unroll import unroll

LENGTHS = torch.tensor([3, 6, 0, 1])
LAYERS = {"elman": "RNN", "gru": "GRU", "lstm": "LSTM"}


def _stack(cell: str = "gru", **options) -> Stack:
    return Stack(3, Network(cell=cell, **options), 4).double()


def _x(batch: int = 4, time: int = 6) -> torch.Tensor:
    return torch.randn(batch, time, 3, dtype=torch.float64)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", LAYERS)
def test_equals_saiki_nn(cell, bidirectional):
    stack = _stack(cell, layers=2, bidirectional=bidirectional, residual=False)
    layer = getattr(saiki.nn, LAYERS[cell])(3, 4, 2, bidirectional=bidirectional, batch_first=True).double()
    names = {"0": "", "1": "_reverse"}
    moved = {}
    for key, value in stack.state_dict().items():
        _, number, direction, weight = key.split(".")
        moved[f"{weight}_l{number}{names[direction]}"] = value
    layer.load_state_dict(moved)
    x = _x()
    y, states = stack(x, LENGTHS)
    expected, final = layer(x, lengths=LENGTHS)
    torch.testing.assert_close(y, expected)
    h = torch.stack([state.h for layer_states in states for state in layer_states])
    torch.testing.assert_close(h, final[0] if cell == "lstm" else final)


@pytest.mark.parametrize("cell", catalog.names("cells"))
@pytest.mark.parametrize("residual", [False, True])
def test_streaming_is_the_whole(cell, residual):
    streaming_is_the_whole(_stack(cell, layers=3, residual=residual), _x())


@pytest.mark.parametrize("cell", catalog.names("cells"))
def test_split_and_carry(cell):
    stack, x = _stack(cell), _x()
    y, final = stack(x, LENGTHS)
    first = LENGTHS.clamp(max=2)
    y_first, between = stack(x[:, :2], first)
    y_rest, last = stack(x[:, 2:], LENGTHS - first, between)
    torch.testing.assert_close(torch.cat([y_first, y_rest], 1), y)
    torch.testing.assert_close(last, final)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_never_matters(bidirectional):
    stack, x = _stack(layers=2, bidirectional=bidirectional, residual=True), _x()
    y, final = stack(x, LENGTHS)
    x[torch.arange(6) >= LENGTHS[:, None]] = float("nan")
    torch.testing.assert_close(stack(x, LENGTHS), (y, final))
    assert y.isfinite().all()


def test_residual_adds_the_input_of_every_layer_that_can_take_it():
    x = _x()
    stack = _stack(layers=2, residual=True)
    with torch.no_grad():
        for parameter in stack.layers[1].parameters():
            parameter.zero_()  # a GRU of zeros stays at zero: only the residual path is left
    first = Stack(3, Network(cell="gru", layers=1), 4).double()
    first.layers[0].load_state_dict(stack.layers[0].state_dict())
    torch.testing.assert_close(stack(x)[0], first(x)[0])


def test_dropout_only_between_layers_and_only_while_training():
    x, stack = _x(), _stack(layers=1, dropout=0.9)
    torch.testing.assert_close(stack(x)[0], stack(x)[0])
    stack = _stack(layers=2, dropout=0.5)
    assert not torch.equal(stack(x)[0], stack(x)[0])
    stack.eval()
    torch.testing.assert_close(stack(x)[0], stack(x)[0])


def test_directions_and_widths():
    stack = _stack("lstm", layers=2, bidirectional=True, projection=2)
    assert not stack.causal
    assert stack.output_width == 4
    assert stack(_x())[0].shape == (4, 6, 4)
    assert _stack().causal


def test_no_rows_and_no_time():
    stack = _stack(layers=2, bidirectional=True)
    assert stack(_x(0))[0].shape == (0, 6, 8)
    assert stack(_x(2, 0))[0].shape == (2, 0, 8)


def test_what_a_cell_needs_must_be_given():
    cell = _stack().cells[0][0]
    cell.needs = frozenset({"gap"})
    with pytest.raises(OptionError, match="GRU needs gap beside the input"):
        unroll(cell, torch.zeros(2, 3).double(), torch.tensor([2]), cell.initial_state(2))
