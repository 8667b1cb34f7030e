"""The examples run on planted data, and end with what they found: a plain sentence about the best baseline."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import saiki

HOUSE = Path(__file__).resolve().parents[2]
EXAMPLES = HOUSE / "examples"
#: forecasting on planted data: whether there is something to find that no baseline does; None where chance or
#: hardly anything decides: ridge on lags is near the best, or, of random walks, nothing is
FOUND = {"traffic": True, "weather": None, "electricity": None, "stock": None, "glucose": True}


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_an_example_of_forecasting_says_whether_it_beat_the_best_baseline(name):
    paths = {"PYTHONPATH": str(Path(saiki.__file__).parents[1])}
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    beats, fails = "The model beats the best baseline" in said, "The model does not beat the best baseline" in said
    assert beats != fails, said
    if FOUND[name] is not None:
        assert beats == FOUND[name], said
    if name == "stock":
        assert "Prices were not forecast better than by the last price" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sentiment", "translate"])
def test_an_example_of_text_finds_what_counting_words_does_not(name):
    paths = {"PYTHONPATH": str(Path(saiki.__file__).parents[1])}
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("The model beats the best baseline")


@pytest.mark.parametrize("name", FOUND)
def test_planted_data_are_what_the_example_says(name, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    first, again, other = example.planted(), example.planted(), example.planted(seed=1)
    assert first.equals(again)
    assert not first.equals(other)
    values = first.drop("ds", "unique_id", strict=False).to_numpy()
    assert np.isfinite(values).all()
    if name == "stock":  # steps of a random walk are not related
        steps = np.diff(np.log(first["y"].to_numpy().reshape(20, -1)))
        assert abs(np.corrcoef(steps[:, 1:].ravel(), steps[:, :-1].ravel())[0, 1]) < 0.05


@pytest.mark.slow
def test_a_reservoir_goes_on_by_itself():
    paths = {"PYTHONPATH": str(Path(saiki.__file__).parents[1])}
    command = [sys.executable, str(EXAMPLES / "mackey_glass.py")]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The echo state network beats the best baseline, " in done.stdout
    assert len(done.stdout.splitlines()) == 6
