"""A small table, a small model, and a way to run commands in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from saiki import cli

#: options that make training a matter of a second
TINY = ["--steps", "3", "--width", "8", "--history", "14", "--threads", "1"]
COLUMNS = ["--id", "store", "--time", "date", "--target", "sales"]


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def saiki(capsys):
    """Run a command line; its exit code, stdout and stderr."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        code = cli.run([str(w) for w in words])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


def sales_table() -> pl.DataFrame:
    """Four stores, 90 days, a week's rhythm."""
    days = np.arange(90)
    rng = np.random.default_rng(0)
    start = np.datetime64("2024-01-01")
    frames = []
    for number, store in enumerate(["east", "north", "south", "west"]):
        level = 100 + 30 * number
        sales = level * (1 + 0.3 * np.sin(2 * np.pi * days / 7)) + rng.normal(0, 3, len(days))
        frames.append({"store": [store] * 90, "date": (start + days).tolist(), "sales": sales.round(2)})
    return pl.concat([pl.DataFrame(f) for f in frames])


@pytest.fixture(scope="session")
def sales(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sales.csv"
    sales_table().write_csv(path)
    return path


@pytest.fixture(scope="session")
def model(sales, tmp_path_factory) -> Path:
    """A trained model of `sales`, seven days ahead, with an interval. Not to be written to."""
    out = tmp_path_factory.mktemp("models") / "sales.saiki"
    words = ["train", "forecast", sales, "--out", out, *COLUMNS, "--horizon", 7, "--level", 80, *TINY, "--quiet"]
    assert cli.run([str(w) for w in words]) == 0
    return out


@pytest.fixture(autouse=True)
def _one_thread_again():
    """`--threads` is a setting of the process; other tests keep theirs."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
