"""What the cells that are parallel over time promise beyond the laws of every cell."""

from __future__ import annotations

import pytest
import torch

from saiki import catalog, kernels
from saiki.cells import cell_class, make_cell
from saiki.cells.base import LinearCell
from saiki.network.unroll import unroll, unroll_reference

LINEAR = [name for name in catalog.names("cells") if issubclass(cell_class(name), LinearCell)]


def test_there_are_linear_cells():
    assert {"mingru", "minlstm", "sru_light"} <= set(LINEAR)


@pytest.mark.slow
@pytest.mark.parametrize("name", LINEAR)
def test_scan_and_steps_agree_over_ten_thousand_steps(name):
    """In float32 the scan is no further from float64 than twice the loop (root mean square), and 2 units in the last place."""
    torch.manual_seed(1)
    cell, x, counts = make_cell(name, 3, 8), torch.randn(10_000, 3), torch.ones(10_000, dtype=torch.int64)
    with torch.no_grad():
        (got, _), (loop, _) = (how(cell, x, counts, cell.initial_state(1)) for how in (unroll, unroll_reference))
        exact, _ = unroll_reference(cell.double(), x.double(), counts, cell.initial_state(1))
    error, allowed = ((y - exact).square().mean().sqrt() for y in (got, loop))
    assert error <= 2 * allowed + 2 * torch.finfo(torch.float32).eps * exact.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("name", LINEAR)
def test_gradients_have_gradients(name):
    cell, counts = make_cell(name, 2, 3).double(), torch.tensor([2, 2, 1])
    x, state = torch.randn(5, 2, dtype=torch.float64, requires_grad=True), cell.initial_state(2)
    start = torch.randn_like(state.h).requires_grad_()
    for reverse in (False, True):

        def answer(x, start, reverse=reverse):
            y, final = unroll(cell, x, counts, state._replace(h=start), reverse)
            return y, final.h

        assert torch.autograd.gradgradcheck(answer, (x, start))


def test_a_step_of_ones_own_is_taken_step_by_step():
    cell = make_cell("mingru", 2, 3)
    step = cell.step
    cell.step = lambda gates, state: type(state)(2 * step(gates, state).h)
    x, counts = torch.randn(4, 2), torch.tensor([2, 2])
    for got, expected in zip(
        *(how(cell, x, counts, cell.initial_state(2)) for how in (unroll, unroll_reference)), strict=True
    ):
        torch.testing.assert_close(got, expected)


@pytest.mark.skipif(kernels.table.native is None, reason="the native extension is not built")
def test_mixed_dtypes_and_compiled_graphs_are_left_to_the_loop(monkeypatch):
    cell, x = make_cell("mingru", 2, 3), torch.zeros(4, 2)
    assert kernels.find(cell, x, cell.initial_state(2)).kernel == "mingru_steps"
    assert kernels.find(cell, x, cell.initial_state(1)) is kernels.SCAN
    assert "differ in dtype" in kernels.find(cell, x.double(), cell.initial_state(2))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert "torch.compile" in kernels.find(cell, x, cell.initial_state(2))
    monkeypatch.undo()
    assert "float16" in kernels.find(cell.half(), x.half(), cell.initial_state(2))


def test_a_linear_cell_from_elsewhere_has_the_scan_and_what_it_needs():
    class Leaky(LinearCell):
        """The decay is what was given beside the input; the coefficients are strided views."""

        blocks = 2
        needs = frozenset({"gap"})

        def project(self, x, **given):
            return torch.cat([super().project(x), given["gap"]], 1)

        def coefficients(self, gates):
            return torch.exp(-gates[:, -1:]).expand(-1, self.width), gates[:, : 2 * self.width : 2]

    cell, counts = Leaky(2, 3).double(), torch.tensor([2, 2, 1])
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    gap = torch.rand(5, 1, dtype=torch.float64, requires_grad=True)
    state = cell.initial_state(2)
    assert kernels.table.native is None or kernels.choose(cell, x, state) is kernels.SCAN
    got, expected = (how(cell, x, counts, state, gap=gap)[0] for how in (unroll, unroll_reference))
    torch.testing.assert_close(got, expected)
    assert torch.autograd.gradgradcheck(lambda x, gap: unroll(cell, x, counts, state, gap=gap)[0], (x, gap))


def test_the_decays_of_lru_are_inside_the_unit_circle():
    cell = make_cell("lru", 3, 500)
    radius = torch.exp(-cell.nu_log.exp())
    assert radius.max() < 1
    torch.testing.assert_close(cell.gamma_log.exp(), (-torch.expm1(-2 * cell.nu_log.exp())).sqrt())
    assert 0.6 < radius.mean() < 0.73, "the mean of the radius over the disc is 2/3"


def test_minlstm_stays_finite_where_both_gates_vanish():
    cell = make_cell("minlstm", 1, 4)
    with torch.no_grad():
        cell.weight_ih.fill_(-500.0)
    x = torch.ones(5, 1).requires_grad_()
    y, _ = unroll(cell, x, torch.ones(5, dtype=torch.int64), cell.initial_state(1))
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
