"""Choosing a kernel: a pure function that gives a row or says why there is none."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import torch

from saiki import kernels
from saiki.cells import make_cell
from saiki.kernels.table import native


@pytest.mark.parametrize(
    ("cell", "options", "kernel"),
    [
        ("elman", {}, "elman_tanh"),
        ("elman", {"nonlinearity": "relu"}, "elman_relu"),
        ("lstm", {}, "lstm"),
        ("gru", {}, "gru"),
    ],
)
def test_a_cell_finds_its_kernel(cell, options, kernel):
    made = make_cell(cell, 3, 5, **options)
    assert kernels.find(made, torch.zeros(2, 3), made.initial_state(2)).kernel == kernel


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda cell, x: (cell.half(), x.half()), "not in float16"),
        (lambda cell, x: (cell.double(), x), "differ in dtype"),
        (lambda cell, x: (cell.to("meta"), x.to("meta")), "not on meta"),
        (lambda cell, x: (setattr(cell, "recur", lambda h: h) or cell, x), "step is its own"),
    ],
)
def test_the_reason_is_said(change, reason):
    cell, x = change(make_cell("gru", 3, 5), torch.zeros(2, 3))
    assert reason in kernels.find(cell, x, cell.initial_state(2))


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("lstm", {"projection": 2}),
        ("lstm", {"layer_norm": True}),
        ("gru", {"zoneout": 0.1}),
        ("elman", {"transition": 2}),
        ("slstm", {}),
    ],
)
def test_options_go_to_the_kernel_that_goes_step_by_step(cell, options):
    made = make_cell(cell, 3, 5, **options)
    assert kernels.find(made, torch.zeros(2, 3), made.initial_state(2)).kernel == f"{cell}_steps"


def test_a_cell_without_a_kernel_says_so():
    cell = make_cell("cfc", 3, 5, layer_norm=True)
    assert "no kernel for cfc with layer norm" in kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2))


def test_autocast_takes_the_reference():
    cell = make_cell("gru", 3, 5)
    with torch.autocast("cpu"):
        assert "autocast" in kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2))


def test_a_subclass_from_elsewhere_is_not_mistaken():
    class Mine(type(make_cell("gru", 3, 5))):
        pass

    Mine.__module__ = "somewhere.else"
    cell = Mine(3, 5)
    assert "Mine" in kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2))


def test_the_choice_is_logged_once(caplog):
    kernels.table._said.clear()
    cell = make_cell("gru", 3, 5)
    with caplog.at_level(logging.INFO, logger="saiki.kernels"):
        for _ in range(3):
            kernels.choose(cell, torch.zeros(2, 3), cell.initial_state(2))
    assert [record.message for record in caplog.records] == ["gru: kernel gru"]


def test_every_row_is_known_to_the_native_code():
    assert sorted(row.kernel for row in kernels.ROWS) == sorted(native.cells())
    assert sorted(kernels.table.STEPS) == sorted(native.step_cells())


def test_report_names_what_runs():
    facts = kernels.report()
    assert facts["native"]
    assert facts["isa"] == facts["isa_available"][0] or "SAIKI_ISA" in __import__("os").environ


PROBE = """
import sys
sys.modules["saiki.kernels._native"] = None
import torch
import saiki
from saiki import kernels
from saiki.cells import make_cell
from saiki.network.unroll import unroll
cell = make_cell("gru", 3, 5)
assert "native extension" in kernels.find(cell, torch.zeros(2, 3), cell.initial_state(2))
assert unroll(cell, torch.zeros(2, 3), torch.tensor([2]), cell.initial_state(2))[0].shape == (2, 5)
saiki.nn.GRU(3, 5)(torch.zeros(4, 2, 3), lengths=torch.tensor([4, 2]))[0].sum().backward()
assert "torch._dynamo" not in sys.modules, "the compiler costs two seconds at every start"
print(kernels.report()["why_not"])
"""


@pytest.mark.slow
def test_everything_works_without_the_extension():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "plain torch" in done.stdout
