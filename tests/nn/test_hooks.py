"""What acts on weights from outside acts on the cells of layers: pruning, weight norm, tensors in place of parameters."""

import pytest
import torch
from torch.nn.utils import prune

import saiki
from saiki.errors import OptionError
from saiki.network.options import Network
from saiki.network.stack import Stack


@pytest.mark.parametrize("cell", ["gru", "indrnn", "slstm"])
def test_pruned_cells_use_their_masked_weights(cell):
    torch.manual_seed(0)
    layer, x = saiki.nn.Recurrent(cell, 2, 3), torch.randn(4, 1, 2)
    prune.l1_unstructured(layer.cells[0], "weight_ih", 0.5)
    optimiser = torch.optim.SGD(layer.parameters(), 0.1)
    before = layer(x)[0].detach()
    for _ in range(2):
        optimiser.zero_grad()
        layer(x)[0].square().sum().backward()
        optimiser.step()
    assert not torch.equal(before, layer(x)[0])
    assert (layer.cells[0].weight_ih == 0).sum() >= layer.cells[0].weight_ih.numel() // 2


@pytest.mark.parametrize(("cell", "name"), [("indrnn", "weight_hh"), ("sru", "weight_hh"), ("lru", "theta_log")])
def test_one_number_stands_for_all_units(cell, name):
    torch.manual_seed(0)
    layer, x = saiki.nn.Recurrent(cell, 2, 5), torch.randn(4, 3, 2)
    one = torch.tensor([0.5], requires_grad=True)
    whole = torch.full_like(getattr(layer.cells[0], name), 0.5, requires_grad=True)
    y = torch.func.functional_call(layer, {f"cells.0.{name}": one}, (x,))[0]
    expected = torch.func.functional_call(layer, {f"cells.0.{name}": whole}, (x,))[0]
    torch.testing.assert_close(y, expected)
    (g,), (e,) = torch.autograd.grad(y.sum(), one), torch.autograd.grad(expected.sum(), whole)
    torch.testing.assert_close(g.squeeze(), e.sum())
    wrong = torch.ones(3)
    with pytest.raises(RuntimeError):
        torch.func.functional_call(layer, {f"cells.0.{name}": wrong}, (x,))


@pytest.mark.parametrize("cell", ["mingru", "slstm", "gru", "echo_state"])
def test_tensors_of_the_other_sign_are_read_as_they_are(cell):
    torch.manual_seed(0)
    layer, x = saiki.nn.Recurrent(cell, 2, 3), torch.randn(4, 2, 2)
    flip = lambda part: torch._neg_view(-part)  # noqa: E731 - the same numbers
    _, states = layer(x)
    turned = [type(s)(*map(flip, s)) if isinstance(s, tuple) else flip(s) for s in states]
    y, after = layer(flip(x), turned)
    expected, last = layer(x, states)
    torch.testing.assert_close(y, expected)
    for one, other in zip(after, last, strict=True):
        torch.testing.assert_close(one, other)
    if cell != "echo_state":
        (g,) = torch.autograd.grad(y, layer.cells[0].weight_ih, flip(torch.ones_like(y)), retain_graph=True)
        (e,) = torch.autograd.grad(expected, layer.cells[0].weight_ih, torch.ones_like(y))
        torch.testing.assert_close(g, e)


def test_a_readout_reads_batches():
    net = saiki.nn.Readout(saiki.nn.RNN(1, 8, batch_first=True), 1)
    with pytest.raises(OptionError, match="of one sequence give"):
        net(torch.randn(8, 1))


def test_what_is_missing_goes_up_no_connection():
    torch.manual_seed(0)
    x = torch.randn(1, 4, 3)
    observed = torch.tensor([[[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 1.0]]])
    for connection in ("residual", "highway", "dense"):
        stack = Stack(3, Network(cell="gru_d", layers=2, connection=connection), 3)
        expected = stack(x * observed, observed=observed)[0]
        holes = torch.where(observed == 0, torch.nan, x)
        torch.testing.assert_close(stack(holes, observed=observed)[0], expected)
        states = stack.initial_state(1)
        for t in range(4):
            y, states = stack.step(holes[:, t], states, observed=observed[:, t])
        torch.testing.assert_close(y, expected[:, -1])


def test_a_gap_without_end_is_one_to_the_kernel_too():
    torch.manual_seed(0)
    layer = saiki.nn.Recurrent("cfc", 2, 3, batch_first=True)
    x, gap = torch.randn(1, 4, 2), torch.ones(1, 4, 1)
    gap[0, 0] = float("inf")
    assert layer(x, gap=gap)[0].isfinite().all()
