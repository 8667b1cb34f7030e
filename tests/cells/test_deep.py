"""Deep transition and deep output keep the laws of every cell, and compute the layers that the paper has."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.conformance import cells as conformance

from saiki.cells import make_cell
from saiki.errors import OptionError

#: cell, its own options, layers between steps, layers on the way up
CASES = [
    ("elman", {}, 1, 0),
    ("gru", {}, 2, 1),
    ("lstm", {"projection": 2}, 1, 2),
    ("qrnn", {}, 0, 1),
    ("gru_d", {}, 1, 0),
]


def _make(name, options, transition, deep_output):
    cell = make_cell(name, conformance.FEATURES, 4, **options, transition=transition, deep_output=deep_output)
    return cell.double().eval()


@pytest.mark.parametrize("case", CASES[1:3], ids=lambda case: case[0])
@pytest.mark.parametrize("law", conformance.LAWS, ids=lambda law: law.__name__)
def test_law(law, case):
    law(_make(*case), conformance.run_packed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_layers_of_the_paper_around_the_oracle_of_the_cell(case):
    name, options, transition, deep_output = case
    inner = importlib.import_module(f"tests.oracles.{name}")

    def step(w, x, state, **given):
        own = {key.removeprefix("cell."): value for key, value in w.items() if key.startswith("cell.")}
        out, (h, *rest) = inner.step(own, x, state, **given)
        for layer in range(transition):
            h = np.tanh(w[f"transition.{layer}.weight"] @ h + w[f"transition.{layer}.bias"])
        out = h if transition else out
        for layer in range(deep_output):
            out = np.tanh(w[f"deep_output.{layer}.weight"] @ out + w[f"deep_output.{layer}.bias"])
        return out, [h, *rest]

    conformance.matches_the_oracle(_make(*case), conformance.run_packed, SimpleNamespace(step=step), options)


def test_a_deep_transition_of_an_elman_cell_is_the_dt_rnn():
    cell = make_cell("elman", 3, 4, transition=1)
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    first = torch.tanh(cell.cell.project(x) + cell.cell.recur(h))
    expected = torch.tanh(cell.transition[0](first))
    torch.testing.assert_close(cell.step(cell.project(x), type(cell.initial_state(2))(h)).h, expected)


def test_weight_drop_reaches_the_cell_inside():
    cell = make_cell("gru", 3, 4, transition=1, weight_drop=0.5)
    drawn = cell.drawn(2)
    assert (drawn.cell.weight_hh == 0).any()
    assert not (cell.cell.weight_hh == 0).any()
    assert list(drawn.state_dict()) == list(cell.state_dict())


def test_what_has_no_meaning_is_one_line():
    with pytest.raises(OptionError, match="transition: LRU has no hidden state h"):
        make_cell("lru", 3, 4, transition=1)
    with pytest.raises(OptionError, match="transition: got -1"):
        make_cell("gru", 3, 4, transition=-1)
    assert type(make_cell("gru", 3, 4, transition=0)).__name__ == "GRU"
