"""Any Torch module trained on arrays: shapes, types, ragged sequences, every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saiki
from saiki import catalog
from saiki.errors import DataError, OptionError


def test_a_last_axis_of_one_may_be_left_out_and_other_shapes_are_refused():
    x = np.random.default_rng(0).normal(size=(40, 5, 1)).astype(np.float32)
    y = x.sum((1, 2))

    def trained(y):
        torch.manual_seed(0)
        network = saiki.nn.Readout(saiki.nn.GRU(1, 4, batch_first=True), 1)
        saiki.fit(network, x, y, epochs=2)
        return saiki.predict(network, x)

    assert np.array_equal(trained(y), trained(y[:, None]))
    with pytest.raises(DataError, match=r"answers \(40, 1\) and the targets are \(40, 3\); expected one shape"):
        trained(np.repeat(y[:, None], 3, 1))


def test_a_readout_of_a_layer_that_reads_time_first_is_refused():
    for kind in (saiki.nn.Readout, saiki.nn.StepReadout):
        with pytest.raises(OptionError, match="expected one made with batch_first=True"):
            kind(saiki.nn.GRU(1, 4), 1)


def test_networks_in_float64_and_whole_labels_of_any_type():
    x = np.random.default_rng(0).normal(size=(40, 5, 1))
    for labels in (np.int8, np.int32, bool):
        network = saiki.nn.Readout(saiki.nn.GRU(1, 4, batch_first=True), 2).double()
        saiki.fit(network, x, (x.sum((1, 2)) > 0).astype(labels), loss="cross_entropy", epochs=1)
    assert saiki.predict(network, x).dtype == np.float64


def test_what_bptt_trained_answers_every_step():
    x = np.random.default_rng(0).normal(size=(6, 9, 1)).astype(np.float32)
    network = saiki.nn.StepReadout(saiki.nn.GRU(1, 4, batch_first=True), 1)
    saiki.fit(network, x, x, bptt=3, epochs=1)
    whole = saiki.predict(network, x)
    assert whole.shape == (6, 9, 1)
    lengths = np.array([9, 4, 0])
    ragged = saiki.Ragged(np.concatenate([x[k, :n] for k, n in enumerate(lengths)]), lengths)
    assert np.allclose(
        saiki.predict(network, ragged), np.concatenate([whole[k, :n] for k, n in enumerate(lengths)]), atol=1e-6
    )
    both = saiki.nn.StepReadout(saiki.nn.GRU(1, 4, batch_first=True, bidirectional=True), 1)
    with pytest.raises(OptionError, match="expected one direction"):
        saiki.fit(both, x, x, bptt=3, epochs=1)


@pytest.mark.parametrize(
    "wrong", [{"epochs": -1}, {"batch": 0}, {"learning_rate": "x"}, {"epochs": 1, "steps": 2}], ids=str
)
def test_wrong_options_are_one_line(wrong):
    x = np.random.default_rng(0).standard_normal((20, 5, 1)).astype(np.float32)
    network = saiki.nn.Readout(saiki.nn.GRU(1, 4, batch_first=True), 1)
    with pytest.raises(OptionError) as told:
        saiki.fit(network, x, x[:, -1], **wrong)
    assert next(iter(wrong)) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("task", ["forecast", "translate", "classify"])
def test_tasks_train_in_mixed_precision(task):
    module = catalog.load("tasks", task)
    given = {"horizon": 4} if task == "forecast" else {}
    model = saiki.train(task, module.toy(0), steps=1, width=8, precision="bf16-mixed", **given)
    assert all(weight.isfinite().all() and weight.dtype == torch.float32 for weight in model.network.parameters())
