"""What torch does with the kernels: compile, export, gradients of gradients, inference."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import saiki
from saiki import kernels
from saiki.cells import make_cell
from saiki.errors import SaikiError
from saiki.network.unroll import unroll, unroll_reference

KERNELS = ("elman_tanh", "elman_relu", "lstm", "gru")


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_operator_is_well_behaved(problem, kernel):
    """torch's own battery: schema, fake tensors, autograd registration, ahead-of-time dispatch."""
    case = problem(kernel, [4, 3, 1], 3, 5)
    args = (kernel, case.x, list(case.state), list(case.weights), case.counts, False, True)
    torch.library.opcheck(torch.ops.saiki.unroll.default, args)


@pytest.mark.parametrize("kernel", ["lstm", "gru"])
def test_compiles_whole(problem, kernel):
    case = problem(kernel, [4, 3, 1], 3, 5)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def run(x, state, weights, counts):
        y, final = kernels.unroll(kernel, x, state, weights, counts)
        return [y * 1, *final]

    got = run(case.x, case.state, case.weights, case.counts)
    expected = case.kernel_outputs()
    for g, e in zip(got + case.gradients(got), expected + case.gradients(expected), strict=True):
        assert torch.equal(g, e)


def test_numbers_that_torch_keeps_with_the_other_sign(problem):
    """As the imaginary part of a conjugate: memory holds the negative of what the tensor says."""
    case = problem("gru", [4, 3, 1], 3, 5)
    x = torch._neg_view(case.x.detach())
    for grad in (False, True):
        state = [s.detach().requires_grad_(grad) for s in case.state]
        got, _ = kernels.unroll("gru", x, state, case.weights, case.counts)
        expected, _ = kernels.unroll("gru", x.resolve_neg(), state, case.weights, case.counts)
        assert torch.equal(got, expected)


def test_exports(problem):
    cell = make_cell("gru", 3, 5)

    class Run(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x, counts):
            return unroll(self.cell, x, counts, self.cell.initial_state(2))[0]

    x, counts = torch.randn(6, 3), torch.tensor([2, 2, 2])
    program = torch.export.export(Run(), (x, counts))
    assert any("saiki.unroll" in str(node.target) for node in program.graph.nodes)
    assert torch.equal(program.module()(x, counts), Run()(x, counts))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_gradients_of_gradients_are_the_references(name, reverse):
    torch.manual_seed(0)
    cell = make_cell(name, 3, 5).double()
    x = torch.randn(9, 3, dtype=torch.float64, requires_grad=True)
    counts, inputs = torch.tensor([4, 3, 2]), [x, *cell.parameters()]
    found = []
    for run in (unroll, unroll_reference):
        y, _ = run(cell, x, counts, cell.initial_state(4), reverse)
        first = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        found.append(torch.autograd.grad(sum(g.square().sum() for g in first), inputs))
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


def test_gradients_of_gradients_need_a_reference(problem):
    case = problem("gru", [3, 2], 3, 5)
    y = case.kernel_outputs()[0]
    with pytest.raises(SaikiError, match="reference"):
        torch.autograd.grad(y.sum(), case.x, create_graph=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_backward_twice_with_a_kept_graph(problem, kernel):
    case = problem(kernel, [5, 3], 3, 5)
    outputs = case.kernel_outputs()
    first = torch.autograd.grad(outputs, case.inputs, case.into, retain_graph=True)
    again = torch.autograd.grad(outputs, case.inputs, case.into)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_an_output_changed_in_place_is_noticed(problem):
    case = problem("gru", [5, 3], 3, 5)
    y = case.kernel_outputs()[0]
    loss = (y * 2).sum()
    y.mul_(0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_nothing_is_kept_for_inference(problem):
    case = problem("gru", [5, 3], 3, 5)
    with torch.no_grad():
        assert all(t.grad_fn is None for t in case.kernel_outputs())
    with torch.inference_mode():
        case.kernel_outputs()


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "sru", "slstm", "mingru"])
def test_many_gradients_at_once_are_those_one_by_one(name):
    """`is_grads_batched`, which `jacobian(vectorize=True)` asks for too."""
    named = name[0].isupper()
    layer = getattr(saiki.nn, name)(3, 4).double() if named else saiki.nn.Recurrent(name, 3, 4, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    y = layer(x)[0]
    into = torch.randn(6, *y.shape, dtype=torch.float64)
    (together,) = torch.autograd.grad(y, x, into, is_grads_batched=True, retain_graph=True)
    for one, direction in zip(together, into, strict=True):
        torch.testing.assert_close(one, torch.autograd.grad(y, x, direction, retain_graph=True)[0])


LEAVING = """
import torch
import saiki
for name in ("sru", "slstm", "lru", "gru_d"):
    torch._dynamo.reset()
    layer, x = saiki.nn.Recurrent(name, 3, 4, bidirectional=True, batch_first=True), torch.randn(2, 40, 3)
    compiled = torch.compile(layer, backend="aot_eager")
    y = compiled(x)[0]
    torch.testing.assert_close(y, layer(x)[0])
    y.sum().backward()
    assert all(weight.grad is not None for weight in layer.parameters() if weight.requires_grad), name
"""


@pytest.mark.slow
def test_cells_whose_kernels_are_no_operators_leave_the_graph():
    """In a process of its own: the compiler does not understand the checks of shapes that tests add."""
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("make", [saiki.nn.RNN, saiki.nn.GRU, saiki.nn.LSTM])
def test_layers_without_biases_learn_when_compiled(make):
    """A list of tensors with a None in it has no gradients as an argument of a custom operator."""
    torch.manual_seed(0)
    layer = make(4, 6, bias=False, batch_first=True)
    x = torch.randn(3, 5, 4, requires_grad=True)
    expected = torch.autograd.grad(layer(x)[0].square().sum(), [x, *layer.parameters()])
    compiled = torch.compile(layer, backend="aot_eager")
    got = torch.autograd.grad(compiled(x)[0].square().sum(), [x, *layer.parameters()])
    for g, e in zip(got, expected, strict=True):
        torch.testing.assert_close(g, e)


def test_packed_parameters_are_learned():
    layer, values = saiki.nn.GRU(4, 6, bias=False), torch.nn.Parameter(torch.randn(6, 4))
    rows = torch.nn.utils.rnn.PackedSequence(values, torch.tensor([2, 2, 1, 1]))
    (first,) = torch.autograd.grad(layer(rows)[0].data.square().sum(), values, create_graph=True)
    first.square().sum().backward()
    assert values.grad is not None
    assert values.grad.abs().sum() > 0
