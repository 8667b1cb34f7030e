"""The contract: a task that shares nothing with a forecast is trained, saved, loaded and told of like any other."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

import saiki
from saiki import catalog
from saiki.errors import ModelError, OptionError
from saiki.reporting.page import render
from saiki.tasks._evaluation import Evaluation, Table
from saiki.tasks._task import ROLES, Task, preferring
from saiki.training.options import Training


class Doubling(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    factor: float = Field(2.0, description="What numbers are to be multiplied by.")


class DoublingTask(Task):
    """Learns y = factor · x from a list of numbers; its file is its alphabet."""

    takes = ("source",)
    answer = "products"

    def __init__(self, options, numbers, alphabet):
        self.options, self.numbers, self.alphabet = options, numbers, alphabet

    @classmethod
    def fit(cls, options, data, columns):
        assert set(columns) == set(ROLES)
        return cls(options, torch.tensor(data), b"0123456789")

    def describe(self):
        return [("numbers", str(len(self.numbers)))]

    def fingerprint(self, data=None):
        return str((self.numbers if data is None else torch.tensor(data)).tolist())

    default_width = 1

    def network_defaults(self):
        return {"bidirectional": True, "dropout": 0.1, "layers": 1}

    def training_defaults(self):
        return {"batch": 3, "steps": 200, "learning_rate": 0.1, "patience": 99, "weight_decay": 0.0}

    def network(self, options, width, seed):
        assert options.bidirectional
        torch.manual_seed(seed)
        return nn.Linear(1, 1)

    def problem(self, batch, valid=None, whole=False):
        assert batch == 3
        x = self.numbers[:, None]
        loss = lambda network, rows: (network(rows) - self.options.factor * rows).square().mean()  # noqa: E731
        return types.SimpleNamespace(
            epoch=1, draw=lambda rng, step: x, loss=loss, validate=lambda network: float(loss(network, x))
        )

    def predict(self, network, data):
        return network(torch.tensor(data)[:, None])[:, 0].tolist()

    def validation(self, network, valid=None):
        ours = np.mean(np.isclose(self.predict(network, self.numbers.tolist()), 2 * self.numbers, atol=0.1))
        table = Table("Pairs", ["x", "y"], [["<b>", "2"]], shades=[[0.0, 1.0]])
        return Evaluation(
            "all", {"saiki": {"hits": ours}, "nothing": {"hits": 2.0}}, ranked_by=("hits",), tables=[table]
        )

    def to_json(self):
        return {"numbers": self.numbers.tolist()}

    def files(self):
        return {"alphabet.bin": self.alphabet}

    @classmethod
    def restore(cls, options, stored, files):
        return cls(options, torch.tensor(stored["numbers"]), files["alphabet.bin"])


@pytest.fixture
def task(monkeypatch):
    module = types.SimpleNamespace(OPTIONS=Doubling, load_task=lambda: DoublingTask)
    load = catalog.load
    found = lambda folder, name: module if (folder, name) == ("tasks", "doubling") else load(folder, name)  # noqa: E731
    monkeypatch.setattr(catalog, "load", found)


@pytest.fixture
def made(task, tmp_path):
    return saiki.train("doubling", [1.0, 2.0, 3.0], out=tmp_path / "m"), tmp_path / "m"


def test_it_is_trained_saved_and_loaded(made):
    model, path = made
    assert model.predict([5.0])[0] == pytest.approx(10, abs=0.5)
    assert model.training_options.batch == 3
    assert (path / "alphabet.bin").read_bytes() == b"0123456789"
    assert json.loads((path / "config.json").read_text())["format"] == 1
    loaded = saiki.load(path)
    assert loaded.task.alphabet == b"0123456789"
    assert loaded.network_options.bidirectional
    assert loaded.predict([5.0]) == model.predict([5.0])
    assert loaded.validation.sentence() == model.validation.sentence()
    assert "--out folder-products.csv" in (path / "README.md").read_text()


def test_a_damaged_file_of_the_task_is_found(made):
    _, path = made
    (path / "alphabet.bin").write_bytes(b"012345678?")
    with pytest.raises(ModelError, match=r"alphabet.bin does not have the checksum"):
        saiki.load(path)
    (path / "alphabet.bin").unlink()
    with pytest.raises(ModelError, match=r"alphabet.bin is missing"):
        saiki.load(path)


def test_what_it_cannot_do_is_one_line(made, task):
    model, _ = made
    for what in (model.stream, model.generate):
        with pytest.raises(ModelError, match="cannot"):
            what()
    with pytest.raises(OptionError, match="--target has no meaning for doubling, which takes --source"):
        saiki.train("doubling", [1.0], target="y")


def test_the_report_shows_its_tables_and_no_forecasts(made):
    model, _ = made
    page = render(model, model.validation, "title")
    assert "<h2>Pairs</h2>" in page
    assert "&lt;b&gt;" in page
    assert "<h2>Forecasts</h2>" not in page


def test_what_was_asked_for_wins_over_what_a_task_prefers():
    assert preferring(saiki.Network(dropout=0.0), {"dropout": 0.5, "width": 9}).dropout == 0
    assert preferring(saiki.Network(cell="gru,lstm"), {"layers": 1}).layers == 2
    assert preferring(Training(minutes=1), {"steps": 5}).steps is None
    assert preferring(saiki.Network(residual=False), {"connection": "dense"}).connection == "plain"


@pytest.mark.parametrize(
    ("metric", "ours", "wins"), [("coverage-80", 1.0, True), ("mae", 1.0, True), ("mae", 3.0, False)]
)
def test_the_metric_says_which_way_is_better(metric, ours, wins):
    found = Evaluation("x", {"saiki": {metric: ours}, "other": {metric: 2.0}}, ranked_by=(metric,))
    assert found.beats_baselines is wins
