"""The surface that code written for torch.nn touches: constructors, attributes, state dicts, copies, errors."""

from __future__ import annotations

import copy
import inspect
import io
import pickle

import pytest
import torch
from torch import nn

import saiki

NAMES = ["RNN", "LSTM", "GRU"]
OPTIONS = [
    {},
    {"num_layers": 3, "bidirectional": True},
    {"bias": False, "batch_first": True},
    {"num_layers": 2, "dropout": 0.3},
]


def _both(name: str, *args, **kwargs):
    torch.manual_seed(3)
    ours = getattr(saiki.nn, name)(*args, **kwargs)
    torch.manual_seed(3)
    return ours, getattr(nn, name)(*args, **kwargs)


def _all_options(name: str) -> list[dict]:
    more = {"RNN": [{"nonlinearity": "relu"}], "LSTM": [{"proj_size": 2, "num_layers": 2}], "GRU": []}
    return [*OPTIONS, *more[name]]


EVERY = [(name, options) for name in NAMES for options in _all_options(name)]


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_same_weights_under_the_same_seed(name, options):
    ours, torchs = _both(name, 3, 5, **options)
    state, expected = ours.state_dict(), torchs.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert torch.equal(torch.rand(1), torch.rand(1, generator=_after(name, options)))


def _after(name: str, options: dict) -> torch.Generator:
    """The generator where torch.nn leaves it."""
    torch.manual_seed(3)
    getattr(nn, name)(3, 5, **options)
    return torch.Generator().set_state(torch.get_rng_state())


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_attributes_and_repr(name, options):
    ours, torchs = _both(name, 3, 5, **options)
    for attribute in [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]:
        assert getattr(ours, attribute) == getattr(torchs, attribute), attribute
        assert type(getattr(ours, attribute)) is type(getattr(torchs, attribute)), attribute
    assert repr(ours) == repr(torchs)
    assert [[w.shape for w in ws] for ws in ours.all_weights] == [[w.shape for w in ws] for ws in torchs.all_weights]
    assert ours.all_weights[0][0] is ours.weight_ih_l0
    assert ours.flatten_parameters() is None
    assert not list(ours.children())


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    """Positional and keyword, in torch's order (as its documentation and type stubs give it)."""
    order = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    if name == "RNN":
        order.insert(3, "nonlinearity")
    if name == "LSTM":
        order.append("proj_size")
    assert list(inspect.signature(getattr(saiki.nn, name)).parameters) == [*order, "device", "dtype"]
    forward = list(inspect.signature(getattr(saiki.nn, name).forward).parameters)
    assert forward[:3] == list(inspect.signature(getattr(nn, name).forward).parameters)


def test_positional_arguments():
    assert repr(saiki.nn.RNN(3, 5, 2, "relu", False, True, 0.1, True)) == repr(
        nn.RNN(3, 5, 2, "relu", False, True, 0.1, True)
    )
    ours = saiki.nn.LSTM(3, 5, 2, False, True, 0.1, True, 2, "cpu", torch.float64)
    assert repr(ours) == repr(nn.LSTM(3, 5, 2, False, True, 0.1, True, 2))
    assert ours.weight_ih_l0.dtype == torch.float64


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_state_dict_goes_both_ways(name, options):
    ours, torchs = getattr(saiki.nn, name)(3, 5, **options).eval(), getattr(nn, name)(3, 5, **options).eval()
    x = torch.randn(4, 2, 3)
    torchs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), torchs(x))
    nn.init.orthogonal_(torchs.weight_hh_l0)
    ours.load_state_dict(torchs.state_dict())
    torch.testing.assert_close(ours(x), torchs(x))


def test_reset_parameters():
    ours, torchs = _both("LSTM", 3, 5, 2)
    for layer in (ours, torchs):
        torch.manual_seed(9)
        layer.reset_parameters()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), torchs.parameters(), strict=True))


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_copies(name, options, path):
    """deepcopy, torch.save of the whole module, and moves between dtypes give layers that live on their own."""
    layer, x = getattr(saiki.nn, name)(3, 5, **options).eval(), torch.randn(4, 2, 3)
    expected = layer(x)[0].detach()
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for twin in (
        copy.deepcopy(layer),
        copy.copy(layer),
        torch.load(buffer, weights_only=False),
        layer.double().float(),
    ):
        torch.testing.assert_close(twin(x)[0], expected)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    torch.testing.assert_close(twin(x)[0], expected)


def test_weights_replaced_or_shared_are_used(path):
    layer, x = saiki.nn.GRU(3, 4, bidirectional=True), torch.randn(5, 2, 3)
    layer(x)
    layer.weight_hh_l0_reverse = layer.weight_hh_l0
    layer.weight_ih_l0 = nn.Parameter(torch.zeros(12, 3))
    torchs = nn.GRU(3, 4, bidirectional=True)
    torchs.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), torchs(x))


def test_a_plain_tensor_in_the_place_of_a_weight(path):
    """As weight drop written for torch.nn does."""
    layer, x = saiki.nn.LSTM(3, 4), torch.randn(5, 2, 3)
    raw = nn.Parameter(layer.weight_hh_l0.data)
    del layer.weight_hh_l0
    layer.weight_hh_l0 = raw * 0.5
    layer(x)[0].sum().backward()
    assert raw.grad is not None


def test_inside_a_sequential_wrapper():
    class First(nn.Module):
        def forward(self, answer):
            return answer[0]

    net = nn.Sequential(saiki.nn.GRU(3, 4, batch_first=True), First(), nn.Linear(4, 1))
    assert net(torch.randn(2, 5, 3)).shape == (2, 5, 1)
    assert next(iter(net.state_dict())) == "0.weight_ih_l0"


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_between_layers_while_training(name, path):
    layer = getattr(saiki.nn, name)(3, 64, 2, dropout=0.5)
    x = torch.randn(20, 8, 3)
    torch.manual_seed(1)
    first = layer(x)[0]
    assert not torch.equal(first, layer(x)[0])
    torch.manual_seed(1)
    assert torch.equal(first, layer(x)[0])
    layer.eval()
    torchs = getattr(nn, name)(3, 64, 2, dropout=0.5).eval()
    torchs.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), torchs(x))
    layer.train()
    assert torch.equal(layer(x)[1][0][0], layer(x)[1][0][0]), "the first layer sees no dropout"


def test_dropout_of_everything_leaves_the_biases():
    layer, torchs = _both("GRU", 3, 4, 2, dropout=1.0)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(layer(x), torchs(x))


def test_dropout_without_a_second_layer_warns():
    with pytest.warns(UserWarning, match="num_layers is 1"):
        saiki.nn.GRU(3, 4, dropout=0.1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 0}, "input_size: got 0"),
        ({"hidden_size": 2.5}, "hidden_size: got 2.5"),
        ({"hidden_size": 0}, "hidden_size: got 0"),
        ({"hidden_size": "8"}, "hidden_size: got '8'"),
        ({"num_layers": 0}, "num_layers: got 0"),
        ({"bias": "no"}, "bias: got 'no'"),
        ({"batch_first": 1}, "batch_first: got 1"),
        ({"dropout": 1.5}, "dropout: got 1.5"),
        ({"dropout": True}, "dropout: got True"),
    ],
)
def test_wrong_options_are_one_line(name, change, message):
    with pytest.raises(saiki.OptionError, match=message) as caught:
        getattr(saiki.nn, name)(**{"input_size": 3, "hidden_size": 4, **change})
    assert "\n" not in str(caught.value)


def test_wrong_options_of_one_layer():
    with pytest.raises(saiki.OptionError, match="'tanh' or 'relu'"):
        saiki.nn.RNN(3, 4, nonlinearity="gelu")
    with pytest.raises(saiki.OptionError, match=r"proj_size: got 4; expected 0 .* to 3"):
        saiki.nn.LSTM(3, 4, proj_size=4)


X = torch.randn(5, 2, 3)
H = torch.zeros(1, 2, 4)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("GRU", (torch.randn(5, 2, 7),), "got 7 features per step; expected input_size=3"),
        ("GRU", (torch.randn(3),), "got 1 dimensions"),
        ("GRU", (X.double(),), "float64; expected the dtype of the weights, torch.float32"),
        ("GRU", (X, H[0]), r"h_0 of shape \(2, 4\); expected \(1, 2, 4\)"),
        ("GRU", (X[:, 0], H), r"h_0 of shape \(1, 2, 4\); expected \(1, 4\)"),
        ("GRU", (X, H.double()), "h_0 of torch.float64; expected the dtype of the input"),
        ("GRU", (X, (H, H)), "got tuple; expected a tensor"),
        ("LSTM", (X, H), r"got Tensor; expected a pair \(h_0, c_0\)"),
        ("LSTM", (X, (H, H[:, :1])), r"c_0 of shape \(1, 1, 4\)"),
        ("GRU", (X, None, torch.tensor([5])), r"lengths: got shape \(1,\); expected \(2,\)"),
        ("GRU", (X, None, torch.tensor([6, 1])), "lengths: got values from 1 to 6; expected 0 to 5"),
        ("GRU", (X, None, torch.tensor([-1, 1])), "lengths: got values from -1"),
        ("GRU", (X, None, torch.tensor([2.0, 1.0])), "lengths: got torch.float32; expected whole numbers"),
        ("GRU", (nn.utils.rnn.pack_sequence([X[:, 0]]), None, [5]), "lengths: got them beside a PackedSequence"),
        ("GRU", (nn.utils.rnn.pack_sequence([torch.randn(4, 8)]),), "got 8 features per step"),
    ],
)
def test_wrong_input_is_one_line(name, given, message):
    with pytest.raises(saiki.DataError, match=message) as caught:
        getattr(saiki.nn, name)(3, 4)(*given)
    assert "\n" not in str(caught.value)


def test_a_pickled_layer_asks_anew_for_its_kernel():
    """What was pickled before, or where there were no kernels, runs on those of this installation."""
    layer = saiki.nn.GRU(3, 4)
    other = saiki.nn.GRU.__new__(saiki.nn.GRU)
    other.__setstate__({name: value for name, value in vars(layer).items() if name != "_row"})
    x = torch.randn(5, 2, 3)
    assert torch.equal(other(x)[0], layer(x)[0])
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x)[0], layer(x)[0])
