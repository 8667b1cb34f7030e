"""Zoneout, state dropout, weight drop and layer norm inside a step, as they act in training."""

from __future__ import annotations

import pytest
import torch

from saiki import kernels
from saiki.cells import make_cell
from saiki.errors import OptionError
from saiki.network.unroll import unroll, unroll_reference

NAMES = ["elman", "gru", "lstm", "slstm", "rhn"]
COUNTS = torch.tensor([4, 4, 3, 1])


def _run(cell, x, seed=0, how=unroll):
    torch.manual_seed(seed)
    return how(cell, x, COUNTS, cell.initial_state(4))[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["zoneout", "state_dropout", "weight_drop"])
def test_training_draws_anew_and_evaluation_does_not(name, option):
    cell, x = make_cell(name, 3, 8, **{option: 0.5}), torch.randn(12, 3)
    assert torch.equal(_run(cell, x), _run(cell, x))
    assert not torch.equal(_run(cell, x), _run(cell, x, seed=1))
    cell.eval()
    assert torch.equal(_run(cell, x), _run(cell, x, seed=1))
    if option != "zoneout":
        plain = make_cell(name, 3, 8)
        plain.load_state_dict(cell.state_dict())
        torch.testing.assert_close(_run(cell, x), _run(plain, x))


@pytest.mark.parametrize("name", NAMES)
def test_zoneout_keeps_units_as_they_were(name):
    cell = make_cell(name, 3, 500, zoneout=0.3)
    state = cell.initial_state(1)
    state = type(state)(*(torch.full_like(part, 0.7) for part in state))
    after = cell.step(cell.project(torch.randn(1, 3)), state)
    for part in after:
        assert (part == 0.7).float().mean().item() == pytest.approx(0.3, abs=0.08)
    if name == "slstm":
        kept = [(part == 0.7) for part in after]
        assert torch.equal(kept[1], kept[2])
        assert torch.equal(kept[1], kept[3])


@pytest.mark.parametrize("name", NAMES)
def test_state_dropout_is_the_same_at_all_steps_and_differs_by_row(name):
    cell = make_cell(name, 3, 50, state_dropout=0.4).drawn(6)
    mask = cell._mask
    assert mask.shape == (6, 50)
    torch.testing.assert_close(mask.unique(), torch.tensor([0.0, 1 / 0.6]))
    assert not torch.equal(mask[0], mask[1])
    h, bias = torch.randn(4, 50), cell.bias_hh[0] if name == "rhn" else cell.bias_hh
    weight = cell.weight_hh[0] if name == "rhn" else cell.weight_hh
    part = (0,) if name == "rhn" else ()
    torch.testing.assert_close(cell.recur(h, *part), (h * mask[:4]) @ weight.T + bias)


def test_weight_drop_runs_in_the_kernel_and_renames_no_key():
    cell, x = make_cell("lstm", 3, 8, weight_drop=0.5), torch.randn(12, 3)
    keys = list(cell.state_dict())
    drawn = cell.drawn(4)
    share = (drawn.weight_hh == 0).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.15)
    torch.testing.assert_close(drawn.weight_hh[drawn.weight_hh != 0], 2 * cell.weight_hh[drawn.weight_hh != 0])
    y = _run(cell, x)
    torch.manual_seed(0)
    torch.testing.assert_close(y, unroll_reference(cell.drawn(4), x, COUNTS, cell.initial_state(4))[0])
    y.sum().backward()
    assert (cell.weight_hh.grad == 0).float().mean().item() == pytest.approx(0.5, abs=0.15)
    assert list(cell.state_dict()) == keys == list(make_cell("lstm", 3, 8).state_dict())
    if kernels.report()["native"]:
        assert kernels.find(drawn, x, cell.initial_state(4)).kernel == "lstm"


@pytest.mark.parametrize("options", [{"layer_norm": True}, {"zoneout": 0.1}])
def test_what_changes_the_equations_has_another_kernel(options):
    cell = make_cell("gru", 3, 8, **options)
    if kernels.report()["native"]:
        assert kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2)).kernel == "gru_steps"


def test_layer_norm_makes_the_scale_of_the_input_not_matter():
    for name in NAMES:
        cell, x = make_cell(name, 3, 8, layer_norm=True).double().eval(), torch.randn(12, 3, dtype=torch.float64)
        torch.testing.assert_close(
            _run(cell, 1000 * x), _run(cell, 1e6 * x), rtol=1e-8, atol=1e-8
        )  # ε beside the variance


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("option", ["zoneout", "state_dropout", "weight_drop"])
def test_a_share_is_a_share(option, share):
    with pytest.raises(OptionError, match=f"{option}: got .*expected a share"):
        make_cell("gru", 3, 8, **{option: share})


def test_cells_without_a_recurrent_matrix_say_whose_the_option_is():
    with pytest.raises(
        OptionError, match="'zoneout' has no meaning for the cell 'mingru'; it belongs to: cfc, elman, gru"
    ):
        make_cell("mingru", 3, 8, zoneout=0.1)
