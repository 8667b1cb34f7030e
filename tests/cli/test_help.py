"""Help answers without importing anything heavy, and says what the option models say."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
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


TASKS = catalog.names("tasks")


@pytest.mark.parametrize("name", TASKS)
def test_help_of_a_task_says_what_data_it_takes_and_shows_its_own_defaults(saiki, name):
    module = catalog.load("tasks", name)
    text = "".join(saiki("train", name, "--help").out.split())
    assert "".join(module.DATA.split()) in text
    for option, preferred in module.PREFERS.items():
        fields = (Network if option in Network.model_fields else Training).model_fields
        assert "".join(f"{fields[option].description} [{preferred}]".split()) in text


def preferred_by(name: str, table=None) -> dict:
    module = catalog.load("tasks", name)
    options = module.OPTIONS(**({"horizon": 3} if name == "forecast" else {}))
    columns = {"source": ["text"], "target": ["label"]} if table is not None else {}
    data = module.toy() if table is None else table
    task = module.load_task().fit(options, [data] if isinstance(data, str) else data, columns)
    task.asked(Network(), Training(minutes=1))
    return task.network_defaults() | task.training_defaults()


@pytest.mark.parametrize("name", [*TASKS, "documents"])
def test_help_names_every_default_that_a_task_has_of_its_own(name):
    texts = pl.DataFrame({"text": ["good day", "bad night"] * 40, "label": ["good", "bad"] * 40})
    found = preferred_by("classify", texts) if name == "documents" else preferred_by(name)
    said = catalog.load("tasks", "classify" if name == "documents" else name).PREFERS
    assert found.keys() <= said.keys()
    for option, value in found.items():
        words = said[option].replace(",", "").split()
        shown = ("no", "yes")[value] if isinstance(value, bool) else str(value)
        between = "to" in words and float(words[0]) <= float(value) <= float(words[2])
        assert between or shown in words, (option, value)


def test_help_of_no_task_leaves_out_what_only_some_have(saiki):
    text = saiki("train", "--help").out
    assert "--horizon" not in text
    assert "--learning-rate" in text
    assert "[by the task]" in text


def test_summaries_are_not_cut(saiki):
    assert "..." not in saiki("--help").out.split("Commands:")[1]


def test_without_a_command_help_is_shown(saiki):
    answer = saiki()
    assert answer.code == 0
    assert "Usage: saiki" in answer.out


def test_version(saiki):
    assert saiki("--version").out == f"saiki {__version__}\n"
