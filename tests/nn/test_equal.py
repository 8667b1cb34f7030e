"""saiki.nn equals torch.nn in float64: outputs, final states and every gradient, with the kernels and without."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import CASES, Case
from tests.nn.pairs import KINDS, Pair, use_reference

from saiki import kernels

TOLERANCE = 1e-10


def _kinds(case: Case) -> list[str]:
    """A projection must be narrower than the state."""
    return [kind for kind in KINDS if kind != "lstm-projected" or case.width > 1]


PAIRS = [(kind, name) for name, case in CASES.items() for kind in _kinds(case)]
SHORT = [(kind, name) for kind, name in PAIRS if CASES[name].time < 50]


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_case(kind, name):
    Pair(kind, CASES[name]).assert_equal(TOLERANCE)


@pytest.mark.parametrize(("kind", "name"), SHORT)
def test_case_without_kernels(kind, name, monkeypatch):
    use_reference(monkeypatch)
    Pair(kind, CASES[name]).assert_equal(TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["both-directions", "ragged-two-layers-both-directions", "no-time", "no-rows"])
def test_batch_first(kind, name, path):
    Pair(kind, CASES[name], batch_first=True).assert_equal(TOLERANCE)


@st.composite
def cases(draw) -> Case:
    size = st.integers(1, 9)
    batch, time = draw(st.integers(0, 6)), draw(st.integers(0, 12))
    lengths = draw(st.none() | st.lists(st.integers(0, time), min_size=batch, max_size=batch).map(tuple))
    return Case(batch, time, draw(size), draw(st.integers(2, 9)), draw(st.integers(1, 3)), draw(st.booleans()), lengths)


@settings(max_examples=60)
@given(case=cases(), kind=st.sampled_from(list(KINDS)), batch_first=st.booleans(), seed=st.integers(0, 2**31))
def test_random(case, kind, batch_first, seed):
    Pair(kind, case, batch_first=batch_first, seed=seed).assert_equal(TOLERANCE)


@settings(max_examples=20)
@given(case=cases(), kind=st.sampled_from(list(KINDS)), batch_first=st.booleans(), seed=st.integers(0, 2**31))
def test_random_without_kernels(case, kind, batch_first, seed):
    with pytest.MonkeyPatch.context() as patch:
        use_reference(patch)
        Pair(kind, case, batch_first=batch_first, seed=seed).assert_equal(TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_single_sequence(kind, path):
    pair = Pair(kind, Case(1, 7, 3, 4, layers=2, bidirectional=True))
    for hx in (None, [part[:, 0].detach() for part in pair.hx]):
        hx = hx if hx is None else (hx[0] if len(hx) == 1 else tuple(hx))
        y, final = pair.ours(pair.x[:, 0], hx)
        y_torch, final_torch = pair.torchs(pair.x[:, 0], hx)
        torch.testing.assert_close(y, y_torch)
        torch.testing.assert_close(final, final_torch)


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_are_the_initial_state(kind, path):
    pair = Pair(kind, CASES["both-directions"])
    torch.testing.assert_close(pair.ours(pair.x), pair.torchs(pair.x))


def test_strided_input_and_state(path):
    """Slices, transposes and expanded tensors, as users pass them."""
    layer = Pair("lstm", Case(3, 6, 4, 5)).ours
    x = torch.randn(6, 6, 8, dtype=torch.float64)[:, ::2, ::2].requires_grad_()
    hx = tuple(torch.randn(5, 1, 1, dtype=torch.float64).expand(5, 1, 3).permute(1, 2, 0) for _ in range(2))
    expected = layer(x.contiguous(), tuple(part.contiguous() for part in hx))
    torch.testing.assert_close(layer(x, hx), expected)
    x.retain_grad()
    layer(x, hx)[0].sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("frozen", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"])
def test_frozen_weights_get_no_gradient(frozen, path):
    pair = Pair("gru", CASES["time-63"])
    for layer in (pair.ours, pair.torchs):
        getattr(layer, frozen).requires_grad_(False)
        layer(pair.x.detach())[0].square().sum().backward()
    for (name, ours), torchs in zip(pair.ours.named_parameters(), pair.torchs.parameters(), strict=True):
        assert (ours.grad is None) == (torchs.grad is None) == (name == frozen)
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, torchs.grad)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("used", [0, 1, -1])
def test_gradient_of_one_output_alone(kind, used, path):
    """The loss sees only the outputs, only h_n, or only the last state."""
    pair = Pair(kind, CASES["ragged"])
    outs = []
    for outputs, layer in ((pair.ours_outputs(), pair.ours), (pair.torchs_outputs(), pair.torchs)):
        leaves = [pair.x, *layer.parameters()]
        outs.append(torch.autograd.grad(outputs[used].square().sum(), leaves))
    torch.testing.assert_close(*outs)


@pytest.mark.skipif(not kernels.report()["native"], reason="the native extension is not built")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "lstm-projected"])
def test_the_kernels_are_really_used(kind, monkeypatch):
    used = []
    honest = kernels.unroll_layer
    monkeypatch.setattr(
        kernels, "unroll_layer", lambda kernel, *rest, **how: used.append(kernel) or honest(kernel, *rest, **how)
    )
    Pair(kind, CASES["ragged"]).ours_outputs()
    assert used
