"""Layers of any cell: every cell of the catalogue, padded, packed, single, both directions, and a cell from elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
import torch.nn.utils.prune
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import saiki.nn
from saiki import catalog
from saiki.cells import Cell
from saiki.errors import DataError, OptionError

LENGTHS = torch.tensor([3, 5, 1, 4])
CELLS = catalog.names("cells")


def _layer(name, **options):
    torch.manual_seed(3)
    return saiki.nn.Recurrent(name, 2, 4, num_layers=2, batch_first=True, dtype=torch.float64, **options)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_rows_of_a_batch_are_single_sequences(name, bidirectional):
    layer, x = _layer(name, bidirectional=bidirectional), torch.randn(4, 5, 2, dtype=torch.float64)
    y, states = layer(x, lengths=LENGTHS)
    assert y.shape == (4, 5, layer.output_size)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, last = layer(x[row, :length])
        torch.testing.assert_close(y[row, :length], alone)
        assert not y[row, length:].any()
        for state, single in zip(states, last, strict=True):
            torch.testing.assert_close([part[row] for part in state], [part[0] for part in single])


@pytest.mark.parametrize("name", CELLS)
def test_packed_in_packed_out_and_gradients_reach_every_weight(name):
    layer, x = _layer(name), torch.randn(4, 5, 2, dtype=torch.float64)
    y, states = layer(x, lengths=LENGTHS)
    packed, last = layer(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    torch.testing.assert_close(pad_packed_sequence(packed, batch_first=True)[0], y)
    torch.testing.assert_close([list(s) for s in last], [list(s) for s in states])
    loss = y.square().sum() + sum(part.square().sum() for state in states for part in state)
    weights = dict(layer.named_parameters())
    if not weights:  # nothing of a reservoir is trained
        assert name == "echo_state"
        assert not loss.requires_grad
        return
    loss.backward()
    for weight_name, weight in weights.items():
        assert weight.grad is not None, weight_name


@pytest.mark.parametrize("name", CELLS)
def test_states_carry_on(name):
    layer, x = _layer(name).eval(), torch.randn(4, 5, 2, dtype=torch.float64)
    y, final = layer(x)
    first, between = layer(x[:, :2])
    rest, last = layer(x[:, 2:], between)
    torch.testing.assert_close(torch.cat([first, rest], 1), y)
    torch.testing.assert_close([list(s) for s in last], [list(s) for s in final])


def test_the_layer_of_a_cell_is_that_of_torch():
    layer, torchs = saiki.nn.Recurrent("gru", 2, 4), torch.nn.GRU(2, 4)
    torchs.load_state_dict({f"{name.split('.')[-1]}_l0": w for name, w in layer.named_parameters()})
    x = torch.randn(5, 3, 2)
    torch.testing.assert_close(layer(x)[0], torchs(x)[0])


def test_missing_values_and_gaps_reach_the_cell():
    layer, x = _layer("gru_d"), torch.randn(4, 5, 2, dtype=torch.float64)
    observed = (torch.rand(4, 5, 2) > 0.5).double()
    gap = 1 + torch.rand(4, 5, 1, dtype=torch.float64)
    y, _ = layer(x.where(observed > 0, float("nan")), observed=observed, gap=gap)
    assert y.isfinite().all()
    torch.testing.assert_close(y, layer(x.where(observed > 0, 7.0), observed=observed, gap=gap)[0])
    assert not torch.allclose(y, layer(x.where(observed > 0, 7.0), observed=observed)[0])
    assert not torch.allclose(y, layer(x, gap=gap)[0])
    with pytest.raises(DataError, match="gap: got shape"):
        layer(x, gap=gap[:, :2])


class LeakyState(NamedTuple):
    h: Tensor


class Leaky(Cell):
    def __init__(self, features: int, width: int, leak: float = 0.5) -> None:
        super().__init__()
        self.width = self.output_width = width
        self.leak, self.weight = leak, nn.Parameter(torch.randn(width, features))

    def project(self, x: Tensor, **given: Tensor) -> Tensor:
        return x @ self.weight.T

    def initial_state(self, batch: int) -> LeakyState:
        return LeakyState(self.weight.new_zeros(batch, self.width))

    def step(self, gates: Tensor, state: LeakyState) -> LeakyState:
        return LeakyState(self.leak * state.h + gates)


def test_a_cell_from_elsewhere():
    layer = saiki.nn.Recurrent(Leaky, 2, 4, leak=0.9)
    x = torch.randn(3, 1, 2)
    into = x[:, 0] @ layer.cells[0].weight.T
    torch.testing.assert_close(layer(x)[0][2, 0], 0.81 * into[0] + 0.9 * into[1] + into[2])


def test_mistakes_are_one_line():
    with pytest.raises(OptionError, match=r"unknown cell 'gruu'.*gru"):
        saiki.nn.Recurrent("gruu", 2, 4)
    with pytest.raises(OptionError, match="hidden_size: got 0"):
        saiki.nn.Recurrent("gru", 2, 0)
    with pytest.raises(DataError, match="input: got shape"):
        saiki.nn.Recurrent("gru", 2, 4)(torch.zeros(5, 3, 3))
    layer = saiki.nn.Recurrent("gru", 2, 4, num_layers=2)
    _, states = layer(torch.zeros(5, 3, 2))
    with pytest.raises(DataError, match="states: got 1; expected 2"):
        layer(torch.zeros(5, 3, 2), states[:1])
    with pytest.raises(DataError, match=r"states: got shapes .* for number 0"):
        layer(torch.zeros(5, 4, 2), states)
    with pytest.raises(DataError, match=r"input: got torch\.float64; expected the dtype of the weights"):
        layer(torch.zeros(5, 3, 2, dtype=torch.float64))
    with pytest.raises(OptionError, match=r"lenghts has no meaning here.*needs nothing beside its input"):
        layer(torch.zeros(5, 3, 2), lenghts=torch.ones(3))
    with pytest.raises(OptionError, match=r"observd has no meaning here.*observed"):
        saiki.nn.Recurrent("gru_d", 2, 4)(torch.zeros(5, 3, 2), observd=torch.ones(5, 3, 2))
    with pytest.raises(OptionError, match="dropout: got True"):
        saiki.nn.Recurrent("gru", 2, 4, dropout=True)


@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_state_dropout_acts_in_both_directions(name):
    layer, x = _layer(name, bidirectional=True, state_dropout=0.5).train(), torch.randn(4, 5, 2, dtype=torch.float64)
    one, other = layer(x)[0], layer(x)[0]
    for half in (slice(0, 4), slice(4, 8)):
        assert not torch.allclose(one[..., half], other[..., half])


def test_feedback_of_several_numbers():
    layer = saiki.nn.Recurrent("echo_state", 2, 4, batch_first=True, fed_back=3)
    y, _ = layer(torch.randn(4, 5, 2), feedback=torch.randn(4, 5, 3))
    assert y.shape == (4, 5, 4)
    with pytest.raises(DataError, match=r"feedback: got shape \(4, 5, 1\); expected \(4, 5, 3\)"):
        layer(torch.randn(4, 5, 2), feedback=torch.randn(4, 5, 1))


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm", "slstm", "rhn", "cfc", "gru_d"])
def test_a_bias_that_is_parametrized_counts_all_the_same(cell):
    layer, x = saiki.nn.Recurrent(cell, 3, 4), torch.randn(5, 2, 3)
    given = {"gap": torch.ones(5, 2, 1)} if cell in ("cfc", "gru_d") else {}
    given |= {"observed": torch.ones(5, 2, 3)} if cell == "gru_d" else {}
    before = layer(x, **given)[0]
    for name in [n for n, p in layer.cells[0].named_parameters(recurse=False) if n.startswith("bias")]:
        torch.nn.utils.parametrize.register_parametrization(layer.cells[0], name, torch.nn.Identity())
    torch.testing.assert_close(layer(x, **given)[0], before)


@pytest.mark.parametrize("how", ["weight_norm", "pruned"])
def test_weights_that_are_dropped_may_be_parametrized_or_pruned(how):
    layer, x = saiki.nn.Recurrent("lstm", 3, 4, weight_drop=0.5), torch.randn(5, 2, 3)
    if how == "pruned":
        torch.nn.utils.prune.identity(layer.cells[0], "weight_hh")
    else:
        torch.nn.utils.parametrizations.weight_norm(layer.cells[0], "weight_hh")
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer(x)[0].sum().backward()
    layer.eval()
    torch.testing.assert_close(layer(x)[0], layer(x)[0])


def test_states_may_be_plain_tensors_and_lengths_a_list():
    x = torch.randn(5, 2, 3)
    for cell in ("lstm", "gru", "mingru"):
        layer = saiki.nn.Recurrent(cell, 3, 4)
        _, states = layer(x)
        torch.testing.assert_close(layer(x, [tuple(part) for part in states])[0], layer(x, states)[0])
        with pytest.raises(DataError, match=r"expected . tensor"):
            layer(x, [(*states[0], *states[0])])
        torch.testing.assert_close(layer(x, lengths=[5, 2])[0], layer(x, lengths=torch.tensor([5, 2]))[0])


OTHERS = [
    ("gru", {"reset": "before"}),
    ("lstm", {"peephole": True, "projection": 2}),
    ("lstm", {"layer_norm": True}),
    ("gru", {"transition": 2, "weight_drop": 0.5}),
]


@pytest.mark.parametrize(
    ("name", "options"), [*((name, {}) for name in CELLS if name != "echo_state"), *OTHERS], ids=lambda p: str(p or "")
)
def test_gradients_of_gradients_are_those_of_the_weights_that_were_given(name, options):
    """As in learning to learn: weights that stand in for the layer's own while it runs."""
    torch.manual_seed(3)
    layer = saiki.nn.Recurrent(name, 2, 4, bidirectional=True, dtype=torch.float64, **options).eval()
    x = torch.randn(4, 2, 2, dtype=torch.float64)
    given = {n: (0.5 * w.detach()).requires_grad_() for n, w in layer.named_parameters()}
    towards = [torch.randn_like(w) for w in given.values()]

    def slopes(weights, **how):
        loss = torch.func.functional_call(layer, weights, (x,))[0].square().sum()
        return torch.autograd.grad(loss, list(weights.values()), **how)

    def moved(by):
        return slopes(
            {n: (w.detach() + by * v).requires_grad_() for (n, w), v in zip(given.items(), towards, strict=True)}
        )

    first = slopes(given, create_graph=True)
    torch.testing.assert_close(first, slopes(given))
    along = sum((slope * v).sum() for slope, v in zip(first, towards, strict=True))
    found = torch.autograd.grad(along, [*given.values(), *layer.parameters()], allow_unused=True)
    second, own = found[: len(given)], found[len(given) :]
    assert all(slope is None for slope in own)  # the layer's own weights took no part
    step = 1e-6
    by_steps = [(up - down) / (2 * step) for up, down in zip(moved(step), moved(-step), strict=True)]
    torch.testing.assert_close(
        [torch.zeros_like(n) if s is None else s for s, n in zip(second, by_steps, strict=True)],
        by_steps,
        rtol=1e-5,  # what differences of steps of 1e-6 in float64 are good for
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["slstm", "lstm", "gru_d"])
def test_a_weight_that_is_replaced_after_the_forward_pass_changes_no_gradient(name):
    layer = _layer(name)
    out = layer(torch.randn(4, 5, 2, dtype=torch.float64))[0].sum()
    cell, weight = layer.cells[0], layer.cells[0].weight_ih
    cell.weight_hh = nn.Parameter(3 * cell.weight_hh.detach())
    (first,) = torch.autograd.grad(out, weight, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(out, weight, create_graph=True)[0], first)


def test_states_of_another_dtype_are_refused_and_none_is_the_usual_one():
    layer, x = _layer("lstm"), torch.randn(4, 5, 2, dtype=torch.float64)
    usual = [cell.initial_state(4) for cell in layer.cells]
    torch.testing.assert_close(layer(x, [None, usual[1]])[0], layer(x)[0])
    for name in ("lstm", "mingru", "indrnn"):
        layer = _layer(name)
        usual = [[part.float() for part in cell.initial_state(4)] for cell in layer.cells]
        with pytest.raises(
            DataError, match=r"states: got torch.float32 for number 0; expected that of the cell, torch.float64"
        ):
            layer(x, usual)


def test_lengths_are_taken_alike():
    layer, x = saiki.nn.Recurrent("gru", 2, 4), torch.randn(5, 3, 2)
    one = layer(x[:, 0], lengths=torch.tensor(2))[0]
    for lengths in (2, [2], torch.tensor([2])):
        torch.testing.assert_close(layer(x[:, 0], lengths=lengths)[0], one)
    for any_layer in (layer, saiki.nn.GRU(2, 4)):
        for wrong in ("abc", [None, None, None], [1, "a", 2]):
            with pytest.raises(DataError, match=r"lengths: got .*; expected whole numbers, one per row"):
                any_layer(x, lengths=wrong)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_readouts_of_torchs_layers_take_lengths(kind, bidirectional):
    torchs = getattr(nn, kind)(2, 4, 2, batch_first=True, bidirectional=bidirectional)
    ours = getattr(saiki.nn, kind)(2, 4, 2, batch_first=True, bidirectional=bidirectional)
    ours.load_state_dict(torchs.state_dict())
    x, lengths = torch.randn(4, 5, 2), torch.tensor([3, 0, 5, 1])
    for readout in (saiki.nn.Readout, saiki.nn.StepReadout):
        torch.manual_seed(1)
        one = readout(torchs, 3)
        torch.manual_seed(1)
        other = readout(ours, 3)
        other.linear.load_state_dict(one.linear.state_dict())
        for given in (lengths, [5, 5, 5, 5]):
            torch.testing.assert_close(one(x, lengths=given), other(x, lengths=given))
    before = ours(x)[1]
    stepping = saiki.nn.StepReadout(torchs, 3), saiki.nn.StepReadout(ours, 3)
    torch.testing.assert_close(*(one(x, before, lengths)[1] for one in stepping))
