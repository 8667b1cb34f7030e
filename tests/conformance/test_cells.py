"""Every cell of the catalogue keeps the laws of `conformance/cells.py`, in each variant that its oracle names."""

from __future__ import annotations

import importlib

import pytest
import torch
from tests.conformance import cells as conformance

from saiki import catalog, kernels
from saiki.cells import Cell, make_cell

RUNS = {"chosen": conformance.run_packed, "reference": conformance.run_reference}


def _oracle(name: str):
    return importlib.import_module(f"tests.oracles.{name}")


VARIANTS = [(name, options) for name in catalog.names("cells") for options in _oracle(name).VARIANTS]


def _has_a_kernel(name: str, options: dict) -> bool:
    cell = make_cell(name, conformance.FEATURES, 4, **options)
    return isinstance(kernels.find(cell, torch.zeros(1, conformance.FEATURES), cell.initial_state(1)), kernels.Row)


def _tier(options: dict, run: str) -> tuple:
    """The kernel of a variant is compared in the unit tier, its readable loop in the slow one."""
    return (pytest.mark.slow,) if options and run == "reference" else ()


#: both ways to run, where there are two: a cell without a kernel is run by the reference either way
RUNS_OF = [
    pytest.param(name, options, run, marks=_tier(options, run))
    for name, options in VARIANTS
    for run in (RUNS if _has_a_kernel(name, options) else ["chosen"])
]


def _id(value) -> str | None:
    return "-".join(f"{k}={v}" for k, v in value.items()) or "plain" if isinstance(value, dict) else None


def _make(name: str, options: dict) -> Cell:
    """A cell at evaluation: what is drawn at random in training stands at its mean."""
    return make_cell(name, conformance.FEATURES, 4, **options).double().eval()


@pytest.mark.parametrize(("name", "options", "run"), RUNS_OF, ids=_id)
@pytest.mark.parametrize("law", conformance.LAWS, ids=lambda law: law.__name__)
def test_law(law, name, options, run):
    law(_make(name, options), RUNS[run])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "run"), RUNS_OF, ids=_id)
def test_gradients_entry_by_entry(name, options, run):
    conformance.gradients_are_right(_make(name, options), RUNS[run], everywhere=True)


@pytest.mark.parametrize(("name", "options", "run"), RUNS_OF, ids=_id)
@pytest.mark.parametrize("check", conformance.ORACLE_CHECKS, ids=lambda check: check.__name__)
def test_oracle(check, name, options, run):
    check(_make(name, options), RUNS[run], _oracle(name), options)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=_id)
def test_kernels_change_no_answer(name, options, reverse):
    cell, x, lengths = _make(name, options), conformance.draw(), conformance.LENGTHS
    state = conformance.draw_state(cell)
    conformance.same(
        conformance.run_packed(cell, x, lengths, state, reverse),
        conformance.run_reference(cell, x, lengths, state, reverse),
    )


@pytest.mark.skipif(not kernels.report()["native"], reason="the native extension is not built")
def test_the_plain_and_the_linear_cells_have_a_kernel():
    for name in ("elman", "gru", "lstm", "mingru", "minlstm", "sru_light"):
        cell = _make(name, {})
        x = torch.zeros(2, conformance.FEATURES, dtype=torch.float64)
        assert kernels.choose(cell, x, cell.initial_state(1)) is not None
