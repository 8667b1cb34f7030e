"""Help answers without importing anything heavy, and says what the option models say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from saiki import __version__, catalog
from saiki.cli import COMMANDS
from saiki.network.options import Network
from saiki.training.options import Training

HEAVY = ("torch", "pandas", "polars", "matplotlib", "pyarrow", "numpy", "rich.markdown", "statsmodels")


def _imported(*lines: list[str]) -> set[str]:
    """Heavy modules that are imported once these command lines have run, in a fresh process."""
    code = f"""
import contextlib, io, sys
from saiki.cli import run
for words in {list(lines)!r}:
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(words) == 0, words
print(*sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_help_imports_nothing_heavy():
    pages = [["--help"], *([name, "--help"] for name in COMMANDS), ["train", "forecast", "--help"]]
    assert not _imported(*pages, ["--version"], ["list"], ["list", "cells"])


@pytest.mark.slow
def test_the_import_check_can_fail():
    assert "torch" in _imported(["inspect", "--system"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(saiki, name):
    answer = saiki(name, "--help")
    assert answer.code == 0
    assert f"Usage: saiki {name}" in answer.out


def test_help_shows_the_option_models(saiki):
    text = "".join(saiki("train", "forecast", "--help").out.split())
    for model in (catalog.load("tasks", "forecast").OPTIONS, Network, Training):
        for name, field in model.model_fields.items():
            assert f"--{name.rstrip('_').replace('_', '-')}" in text
            assert "".join(field.description.split()) in text
    assert f"[{Training.model_fields['batch'].default}]" in text


def test_summaries_are_not_cut(saiki):
    assert "..." not in saiki("--help").out.split("Commands:")[1]


def test_without_a_command_help_is_shown(saiki):
    answer = saiki()
    assert answer.code == 0
    assert "Usage: saiki" in answer.out


def test_version(saiki):
    assert saiki("--version").out == f"saiki {__version__}\n"
