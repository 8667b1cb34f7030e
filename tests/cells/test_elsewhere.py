"""Cells from elsewhere have the rights of the library's: trained, saved, loaded, streamed, offered by packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

import saiki
from saiki.cells import Cell, _elsewhere, cell_class, make_cell
from saiki.errors import ModelError, OptionError
from saiki.nn import Recurrent


class _State(NamedTuple):
    h: Tensor


class Leaky(Cell):
    """h_t = depth-th part of the way from h_{t-1} to tanh(W x_t)."""

    def __init__(self, features: int, width: int, depth: int = 2) -> None:
        super().__init__()
        self.width = self.output_width = width
        self.depth, self.see = depth, nn.Linear(features, width)

    def project(self, x: Tensor, **given: Tensor) -> Tensor:
        return torch.tanh(self.see(x))

    def initial_state(self, batch: int) -> _State:
        return _State(self.see.weight.new_zeros(batch, self.width))

    def step(self, gates: Tensor, state: _State) -> _State:
        return _State(state.h + (gates - state.h) / self.depth)


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    """What one test gives, no other knows."""
    monkeypatch.setattr(_elsewhere, "_given", {})


DATA = pl.DataFrame({"unique_id": ["a"] * 90, "ds": range(90), "y": np.sin(np.arange(90) / 3) + 3})
GIVEN = {"horizon": 2, "steps": 2, "width": 4, "refit": False}


def test_train_save_load_and_stream(tmp_path):
    model = saiki.train("forecast", DATA, cell="Leaky", cells=[Leaky], depth=3, **GIVEN)
    assert {cell.depth for layer in model.network.stack.cells for cell in layer} == {3}
    model.save(tmp_path / "m")
    _elsewhere._given.clear()  # as in another process
    with pytest.raises(ModelError, match=r"unknown cell 'Leaky'.*cells=\[Leaky\]") as error:
        saiki.load(tmp_path / "m")
    assert "\n" not in str(error.value)
    loaded = saiki.load(tmp_path / "m", cells=[Leaky])
    expected = model.predict(DATA)["saiki"].to_numpy()
    np.testing.assert_array_equal(loaded.predict(DATA)["saiki"].to_numpy(), expected)
    stream = loaded.stream()
    pushed = [stream.push(row) for row in DATA.iter_rows(named=True)]
    np.testing.assert_allclose(pushed[-1][0]["saiki"], expected, rtol=1e-5)


def test_a_package_offers_a_cell(monkeypatch):
    point = EntryPoint("leaky", f"{__name__}:Leaky", _elsewhere.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: Leaky)
    monkeypatch.setattr(_elsewhere, "_offered", lambda: {"leaky": point})
    assert cell_class("leaky") is Leaky
    assert isinstance(Recurrent("leaky", 2, 3).cells[0], Leaky)
    assert saiki.train("forecast", DATA, cell="gru,leaky", **GIVEN).predict(DATA)["saiki"].is_finite().all()
    with pytest.raises(OptionError, match="did you mean"):
        cell_class("leeky")


def test_its_options_are_checked_and_layers_go_around_it():
    _elsewhere.use([Leaky])
    with pytest.raises(OptionError, match="'zoneout' has no meaning for the cell 'Leaky'"):
        make_cell("Leaky", 2, 3, zoneout=0.1)
    assert make_cell("Leaky", 2, 3, transition=1).output_width == 3


@pytest.mark.parametrize("given", [nn.GRU, Leaky(1, 1), "Leaky"])
def test_what_is_no_cell_is_an_error(given):
    with pytest.raises(OptionError, match="expected a class derived"):
        _elsewhere._checked(given)


def test_a_name_of_the_library_is_taken():
    with pytest.raises(OptionError, match="as a cell of the library is"):
        _elsewhere.use([type("gru", (Leaky,), {})])
