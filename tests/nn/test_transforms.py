"""Layers under torch.compile, export, torch.func, parametrizations, autocast, other dtypes, and second derivatives."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from tests.cases import Case
from tests.nn.pairs import KINDS, Pair
from torch import nn
from torch.nn.utils import parametrizations

import saiki
from saiki import kernels
from saiki.kernels import table

NAMES = ["RNN", "GRU", "LSTM"]
#: compiling takes seconds: one layer in the unit tier, the others in the slow one
COMPILED = ["GRU", *(pytest.param(name, marks=pytest.mark.slow) for name in ("RNN", "LSTM"))]
needs_kernels = pytest.mark.skipif(not kernels.report()["native"], reason="the native extension is not built")


def _both(name: str, **options):
    ours, torchs = getattr(saiki.nn, name)(3, 4, **options), getattr(nn, name)(3, 4, **options)
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(5, 2, 3)


@pytest.fixture
def said(caplog, monkeypatch):
    """What the choice of a kernel says, as if for the first time."""
    monkeypatch.setattr(table, "_said", set())
    caplog.set_level(logging.INFO, logger="saiki.kernels")
    return lambda word: sum(word in record.getMessage() for record in caplog.records)


@pytest.mark.slow
@needs_kernels
@pytest.mark.parametrize("name", COMPILED)
def test_compile_without_graph_breaks(name, x):
    """Forward and backward, more than one size, in one graph."""
    torch._dynamo.reset()
    ours, torchs = _both(name, num_layers=2, bidirectional=True)
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    for given in (x, torch.randn(7, 3, 3)):
        y, final = compiled(given)
        torch.testing.assert_close((y, final), torchs(given))
        ours.zero_grad()
        torchs.zero_grad()
        y.square().sum().backward()
        torchs(given)[0].square().sum().backward()
        for a, b in zip(ours.parameters(), torchs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compile_with_lengths(name, x):
    torch._dynamo.reset()
    layer = getattr(saiki.nn, name)(3, 4, bidirectional=True)
    compiled = torch.compile(layer, backend="aot_eager")
    for lengths in (torch.tensor([3, 5]), torch.tensor([0, 2])):
        torch.testing.assert_close(compiled(x, lengths=lengths), layer(x, lengths=lengths))


@pytest.mark.slow
@needs_kernels
@pytest.mark.parametrize("name", NAMES)
def test_compile_with_inductor(name, x):
    torch._dynamo.reset()
    layer = getattr(saiki.nn, name)(3, 4)
    torch.testing.assert_close(torch.compile(layer, fullgraph=True)(x), layer(x))


@needs_kernels
@pytest.mark.parametrize("name", NAMES)
def test_export(name, x):
    layer = getattr(saiki.nn, name)(3, 4)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), layer(x))


@pytest.mark.parametrize("how", [parametrizations.weight_norm, parametrizations.spectral_norm])
@pytest.mark.parametrize("name", NAMES)
def test_parametrizations_are_respected(name, how, x, path):
    ours, torchs = _both(name)
    torch.manual_seed(1)
    how(ours, "weight_hh_l0")
    torch.manual_seed(1)
    how(torchs, "weight_hh_l0")
    torchs.load_state_dict(ours.state_dict())
    ours.eval()
    torchs.eval()
    torch.testing.assert_close(ours(x), torchs(x))
    with torch.no_grad():
        for layer in (ours, torchs):
            for weight in layer.parametrizations.weight_hh_l0.parameters():
                weight.mul_(2)
    torch.testing.assert_close(ours(x), torchs(x))
    ours(x)[0].sum().backward()
    assert all(p.grad is not None for p in ours.parameters())
    torch.testing.assert_close(copy.deepcopy(ours)(x), ours(x))


@pytest.mark.parametrize("name", NAMES)
def test_functional_call(name, x, path):
    ours, torchs = _both(name, num_layers=2)
    other = {key: torch.randn_like(weight) for key, weight in ours.named_parameters()}
    expected = torch.func.functional_call(torchs, other, (x,))
    torch.testing.assert_close(torch.func.functional_call(ours, other, (x,)), expected)
    assert not torch.allclose(ours(x)[0], expected[0])


@pytest.mark.parametrize("name", NAMES)
def test_vmap_over_inputs_and_ensembles(name, path):
    layers = [getattr(saiki.nn, name)(3, 4) for _ in range(3)]
    xs = torch.randn(3, 5, 2, 3)
    weights, _ = torch.func.stack_module_state(layers)
    answer = torch.func.vmap(lambda w, x: torch.func.functional_call(layers[0], w, (x,))[0])(weights, xs)
    torch.testing.assert_close(answer, torch.stack([layer(x)[0] for layer, x in zip(layers, xs, strict=True)]))


@pytest.mark.parametrize("name", NAMES)
def test_per_sample_gradients(name, x, path):
    layer = getattr(saiki.nn, name)(3, 4)
    weights = {key: weight.detach() for key, weight in layer.named_parameters()}
    loss = lambda w, row: torch.func.functional_call(layer, w, (row,))[0].square().sum()  # noqa: E731
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(weights, x)
    layer(x)[0].square().sum().backward()
    for key, weight in layer.named_parameters():
        torch.testing.assert_close(each[key].sum(0), weight.grad)


@pytest.mark.parametrize("name", NAMES)
def test_vmap_of_ragged_batches(name, path):
    layer, xs, lengths = (
        getattr(saiki.nn, name)(3, 4, bidirectional=True),
        torch.randn(3, 5, 2, 3),
        torch.tensor([2, 4]),
    )
    answer = torch.vmap(lambda x: layer(x, lengths=lengths)[0])(xs)
    torch.testing.assert_close(answer, torch.stack([layer(x, lengths=lengths)[0] for x in xs]))


@pytest.mark.parametrize("name", NAMES)
def test_forward_mode(name, path):
    layer, x, v = getattr(saiki.nn, name)(3, 4).double(), *torch.randn(2, 5, 2, 3).double()
    f = lambda x: layer(x)[0]  # noqa: E731
    step = 1e-6
    numeric = (f(x + step * v) - f(x - step * v)) / (2 * step)
    torch.testing.assert_close(torch.func.jvp(f, (x,), (v,))[1], numeric, rtol=1e-6, atol=1e-8)
    with torch.autograd.forward_ad.dual_level():
        answer = f(torch.autograd.forward_ad.make_dual(x, v))
        tangent = torch.autograd.forward_ad.unpack_dual(answer).tangent
    torch.testing.assert_close(tangent, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_falls_back_and_says_so_once(name, dtype, x, said):
    ours, torchs = _both(name)
    ours, torchs, x = ours.to(dtype), torchs.to(dtype), x.to(dtype)
    for _ in range(2):
        torch.testing.assert_close(ours(x), torchs(x), rtol=0.02, atol=0.02)
    ours(x)[0].sum().backward()
    assert ours.weight_hh_l0.grad.dtype == dtype
    assert not kernels.report()["native"] or said("float16") == 1


@pytest.mark.parametrize("name", NAMES)
def test_autocast_falls_back_and_says_so_once(name, x, said):
    ours, torchs = _both(name, num_layers=2, bidirectional=True)
    with torch.autocast("cpu", torch.bfloat16):
        for lengths in (None, torch.tensor([5, 2])):
            y, _ = ours(x, lengths=lengths)
            y.float().sum().backward()
        got = ours(x)[0].float()
        try:
            expected = torchs(x)[0].float()
        except RuntimeError:  # torch's own LSTM has no bfloat16 on every processor: then its float32 is the measure
            with torch.autocast("cpu", enabled=False):
                expected = torchs(x)[0]
        torch.testing.assert_close(got, expected, rtol=0.03, atol=0.03)
    assert ours.weight_hh_l0.grad.dtype == torch.float32
    assert said("autocast") == 1
    torch.testing.assert_close(ours(x), torchs(x))


#: finite differences along random directions, which any wrong entry changes; in the slow tier, entry by entry
DIRECTIONS = [True, pytest.param(False, marks=pytest.mark.slow)]


def _gradcheck(pair: Pair, check, fast: bool) -> None:
    """`check` over input, initial states and every weight."""
    names = [name for name, _ in pair.ours.named_parameters()]
    lengths = {} if pair.lengths is None else {"lengths": pair.lengths}

    def answer(x, *rest):
        states, weights = rest[: len(pair.hx)], dict(zip(names, rest[len(pair.hx) :], strict=True))
        hx = states[0] if len(states) == 1 else states
        y, final = torch.func.functional_call(pair.ours, weights, (x, hx), lengths)
        return (y, *final) if isinstance(final, tuple) else (y, final)

    leaves = [pair.x, *pair.hx, *(w.detach().clone().requires_grad_() for w in pair.ours.parameters())]
    assert check(answer, leaves, fast_mode=fast)


@pytest.mark.parametrize("fast", DIRECTIONS, ids=["directions", "entries"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind, path, fast):
    _gradcheck(Pair(kind, Case(3, 3, 2, 2, bidirectional=True, lengths=(2, 0, 3))), torch.autograd.gradcheck, fast)


@pytest.mark.parametrize("fast", DIRECTIONS, ids=["directions", "entries"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rnn-relu"])  # relu has no second derivative at 0
def test_second_derivatives(kind, path, fast):
    check = torch.autograd.gradgradcheck
    _gradcheck(Pair(kind, Case(2, 2, 1, 2, bidirectional=True, lengths=(2, 1))), check, fast)


@needs_kernels
@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_are_torchs_and_said_once(name, x, said):
    ours, torchs = _both(name)
    penalties = []
    for layer in (ours, torchs):
        for _ in range(2):
            given = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(layer(given)[0].square().sum(), given, create_graph=True)
            layer.zero_grad()
            slope.square().sum().backward()
        penalties.append([p.grad for p in layer.parameters()])
    torch.testing.assert_close(*penalties, rtol=1e-4, atol=1e-5)
    assert said("create_graph") == 1


def test_gradients_twice_through_one_graph(x, path):
    ours, torchs = _both("LSTM")
    grads = []
    for layer in (ours, torchs):
        y = layer(x)[0].sum()
        y.backward(retain_graph=True)
        y.backward()
        grads.append([p.grad for p in layer.parameters()])
    torch.testing.assert_close(*grads)


def test_inference_mode_then_training(x, path):
    layer = saiki.nn.GRU(3, 4)
    with torch.inference_mode():
        layer(x)
        layer(x, lengths=torch.tensor([3, 5]))
    layer(x, lengths=torch.tensor([3, 5]))[0].sum().backward()
    assert layer.weight_ih_l0.grad is not None


def test_meta_and_fake_tensors(x):
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert saiki.nn.LSTM(3, 4, device="meta")(x.to("meta"))[0].shape == (5, 2, 4)
    with FakeTensorMode():
        assert saiki.nn.GRU(3, 4)(torch.randn(5, 2, 3))[0].shape == (5, 2, 4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_trace(x):
    layer = saiki.nn.GRU(3, 4)
    torch.testing.assert_close(torch.jit.trace(layer, (x,))(x), layer(x))


@needs_kernels
def test_projection_falls_back_and_says_so_once(x, said):
    layer = saiki.nn.LSTM(3, 4, 2, proj_size=2)
    layer(x)
    layer(x)
    assert said("knows 4 weights, and this cell has 5") == 1
