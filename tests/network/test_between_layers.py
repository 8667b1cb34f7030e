"""What stands between layers: merge, connections, layer norm, dropout, a cell per layer; and the laws with all of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.network.laws import streaming_is_the_whole

from saiki.errors import OptionError
from saiki.network.labeller import Labeller, LabelPlan
from saiki.network.options import Network
from saiki.network.stack import Stack
from saiki.network.unroll import unroll

CONNECTIONS = ("plain", "residual", "highway", "dense")
NORMS = ("none", "before", "after")
lengths_of_rows = st.lists(st.integers(0, 5), min_size=1, max_size=4)


def _stack(**options) -> Stack:
    torch.manual_seed(1)
    return Stack(3, Network(**{"layers": 3, **options}), 3).double()


def _x(batch: int = 3, time: int = 5) -> torch.Tensor:
    return torch.randn(batch, time, 3, dtype=torch.float64)


def _inside(lengths: torch.Tensor, time: int) -> torch.Tensor:
    return torch.arange(time) < lengths[:, None]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("cell", ["gru", "lstm,gru,elman"])
def test_streaming_is_the_whole(connection, norm, cell):
    stack = _stack(connection=connection, norm=norm, cell=cell, dropout=0.4, locked=True).eval()
    streaming_is_the_whole(stack, _x())


@given(lengths_of_rows, st.sampled_from(CONNECTIONS), st.sampled_from(NORMS), st.sampled_from(["sum", "mean"]))
def test_padding_and_order_never_matter(lengths, connection, norm, merge):
    stack = _stack(connection=connection, norm=norm, merge=merge, bidirectional=True)
    lengths = torch.tensor(lengths)
    x, inside = _x(len(lengths)), _inside(lengths, 5)
    y, _ = stack(x, lengths)
    torch.testing.assert_close(stack(x.masked_fill(~inside[..., None], float("nan")), lengths)[0], y)
    assert (y[~inside] == 0).all()
    order = torch.randperm(len(lengths))
    torch.testing.assert_close(stack(x[order], lengths[order])[0], y[order])
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(stack(x[row : row + 1, :length])[0][0], y[row, :length])


@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["directions", "entries"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_gradients(connection, norm, fast):
    """Along random directions, which any wrong entry changes; in the slow tier, entry by entry."""
    stack = Stack(2, Network(layers=2, connection=connection, norm=norm, bidirectional=True, merge="mean"), 2).double()
    names, weights = zip(*stack.named_parameters(), strict=True)
    x, lengths = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True), torch.tensor([3, 1])

    def run(x, *weights):
        return torch.func.functional_call(stack, dict(zip(names, weights, strict=True)), (x, lengths))[0]

    assert torch.autograd.gradcheck(run, (x, *weights), fast_mode=fast)


@pytest.mark.parametrize("merge", ["concatenate", "sum", "mean"])
def test_merge_of_both_directions(merge):
    stack, x = _stack(layers=1, bidirectional=True, merge=merge, connection="plain"), _x(1)
    counts = torch.ones(5, dtype=torch.int64)
    forth, back = (unroll(c, x[0], counts, c.initial_state(1), reverse=k == 1)[0] for k, c in enumerate(stack.cells[0]))
    expected = {"concatenate": torch.cat([forth, back], 1), "sum": forth + back, "mean": (forth + back) / 2}[merge]
    torch.testing.assert_close(stack(x)[0][0], expected)
    assert stack.output_width == expected.shape[1]


@pytest.mark.parametrize(("connection", "above"), [("plain", 3), ("residual", 3), ("highway", 3), ("dense", 6)])
def test_connections_are_their_equations(connection, above):
    stack, x = _stack(layers=1, connection=connection), _x()
    cell = stack.cells[0][0]
    alone = Stack(3, Network(layers=1, connection="plain"), 3).double()
    alone.layers[0][0].load_state_dict(cell.state_dict())
    y = alone(x)[0]
    if connection == "highway":
        gate = stack.connections[0].gate
        t = 1 / (1 + torch.exp(-(x @ gate.weight.T + gate.bias)))
        assert (gate.bias == -1).all()
        expected = t * y + (1 - t) * x
    else:
        expected = {"plain": y, "residual": y + x, "dense": torch.cat([x, y], -1)}[connection]
    torch.testing.assert_close(stack(x)[0], expected)
    assert stack.output_width == above


def test_layers_of_another_width_are_plain():
    for connection in ("residual", "highway"):
        stack = Stack(2, Network(layers=2, connection=connection), 3)
        assert [joined.kind for joined in stack.connections] == ["plain", connection]


@pytest.mark.parametrize(("norm", "number"), [("none", 0), ("before", 2), ("after", 3)])
def test_layer_norm_stands_between_layers(norm, number):
    stack, x = _stack(norm=norm, connection="plain"), _x()
    assert sum(isinstance(m, torch.nn.LayerNorm) for m in stack.modules()) == number
    if norm == "after":
        y = stack(x)[0]
        torch.testing.assert_close(y.mean(-1), torch.zeros(3, 5, dtype=torch.float64))


def test_locked_dropout_drops_the_same_units_at_all_steps():
    stack, x = _stack(layers=1, dropout=0.5, locked=True, connection="plain"), _x(4, 6)
    lengths = torch.tensor([3, 6, 0, 1])
    counts = torch.tensor([3, 2, 2, 1, 1, 1])
    stack.before.append(torch.nn.Identity())
    dropped = stack._enter(1, torch.ones(int(counts.sum()), 50, dtype=torch.float64), counts)
    first = dropped[:3]
    assert set(first.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(first[0], first[1])
    for group in dropped.split(counts.tolist()):
        assert torch.equal(group, first[: len(group)])
    assert stack(x, lengths)[0].isfinite().all()


def test_a_cell_for_every_layer():
    stack = _stack(cell="lstm, gru", layers=2, projection=2)
    assert [type(cell).__name__ for (cell,) in stack.cells] == ["LSTM", "GRU"]
    assert stack.output_width == 3
    assert Network(cell="lstm,gru,elman").layers == 3
    with pytest.raises(ValidationError, match="2 cells for 3 layers"):
        Network(cell="lstm,gru", layers=3)
    with pytest.raises(OptionError, match="no meaning for the cell"):
        _stack(cell="elman,gru", layers=2, projection=2)


@pytest.mark.parametrize(
    ("given_options", "connection"),
    [
        ({}, "residual"),
        ({"residual": False}, "plain"),
        ({"residual": True}, "residual"),
        ({"connection": "dense"}, "dense"),
    ],
)
def test_residual_is_a_word_for_a_connection(given_options, connection):
    options = Network(**given_options)
    assert (options.connection, options.residual) == (connection, connection == "residual")
    assert Network(**options.model_dump()) == options


@pytest.mark.parametrize(("residual", "connection"), [(True, "dense"), (False, "residual")])
def test_two_connections_are_an_error(residual, connection):
    with pytest.raises(ValidationError, match="expected one of them"):
        Network(residual=residual, connection=connection)


@pytest.mark.slow
@pytest.mark.parametrize("connection", ["highway", "dense", "residual"])
def test_a_deep_stack_trains(connection):
    """Twenty layers, the sign of the first step asked at the last: a plain stack stays at chance for as long."""
    losses = {kind: _loss_after_training(kind) for kind in (connection, "plain")}
    assert losses[connection] < 0.3 < 0.65 < losses["plain"]


def _loss_after_training(connection: str) -> float:
    torch.manual_seed(0)
    stack = Stack(8, Network(cell="gru", layers=20, connection=connection), 8)
    head = torch.nn.Linear(stack.output_width, 1)
    optimizer = torch.optim.Adam([*stack.parameters(), *head.parameters()], 0.01)
    loss = torch.zeros(())
    for _ in range(120):
        x = torch.randn(32, 4, 8)
        asked = (x[:, 0, :1] > 0).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(stack(x)[0][:, -1]), asked)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@pytest.mark.parametrize("merge", ["concatenate", "sum"])
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_what_a_backward_direction_wrote_is_told(connection, merge):
    stack, x = _stack(layers=1, bidirectional=True, connection=connection, merge=merge), _x()
    other = x.clone()
    other[:, -1] += 1
    changed = (stack(x)[0][:, 0] != stack(other)[0][:, 0]).any(0)
    assert torch.equal(changed & (merge == "concatenate"), stack.backward)


def test_the_last_state_of_dense_layers_is_the_first_of_backward_ones():
    options = Network(layers=2, bidirectional=True, connection="dense")
    labeller = Labeller(LabelPlan(3, 0, 2, 1, ("last",), 1), options, 4).double()
    x, lengths = _x(2), torch.tensor([5, 3])
    h, _ = labeller.stack(x, lengths)
    expected = [h[row, n - 1].clone() for row, n in enumerate(lengths)]
    for row, last in enumerate(expected):  # x, f1, b1, f2, b2
        last[7:11], last[15:] = h[row, 0, 7:11], h[row, 0, 15:]
    found = labeller.pooled({"values": x, "lengths": lengths, "static": torch.zeros(2, 0)})
    assert torch.equal(found, torch.stack(expected))
