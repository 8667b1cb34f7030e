"""What forecasts were made from: integrated gradients are complete and find a planted column; intervals are counted right."""

from __future__ import annotations

import copy

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.data.windows import Windows
from saiki.reporting.charts import pictures
from saiki.reporting.page import render
from saiki.tasks._insight import TOLD, insight, integrated_gradients

ROLLING = {"windows": 6, "step": 4, "baselines": ["last_value"]}
QUICK = {"width": 12, "layers": 1, "history": 16, "patch": 2, "season": 1, "scale": "last", "seed": 0, "refit": False}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Noise, but for a column that is known ahead and decides the value, and another that says nothing."""
    rng, steps = np.random.default_rng(0), 160
    ds = np.datetime64("2024-01-01", "us") + np.arange(steps) * np.timedelta64(1, "h")
    frames = []
    for name in "abcd":
        price, rain = rng.normal(size=steps), rng.normal(size=steps)
        y = 5 + 2 * price + 0.1 * rng.normal(size=steps)
        frames.append(pl.DataFrame({"unique_id": [name] * steps, "ds": ds, "y": y, "price": price, "rain": rain}))
    return pl.concat(frames)


@pytest.fixture(scope="module")
def model(table):
    return saiki.train("forecast", table, horizon=4, future=["price"], past=["rain"], steps=80, **QUICK)


@pytest.fixture(scope="module")
def found(model, table):
    return model.evaluate(table, level=[80], **ROLLING)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_attributions_add_up_to_the_forecast(model, table, cell):
    """Their sum is F(input) - F(baseline): in double precision, up to the error of the midpoint rule."""
    task = model.task
    options = model.network_options.model_copy(update={"cell": cell})
    network = copy.deepcopy(task.network(options, 12, seed=1)).double().eval()
    panel = task.read(table)
    cut = Windows(panel, history=task.plan.history, horizon=task.plan.horizon).cut(np.arange(4), np.full(4, 100))
    batch = {k: v.double() if v.is_floating_point() else v for k, v in task.tensors(cut).items()}
    parts = integrated_gradients(network, batch, points=100)
    nothing = {"x": torch.zeros_like(network.window(batch))} | {name: torch.zeros_like(batch[name]) for name in TOLD}
    with torch.no_grad():
        change = (network(batch).point - network(batch | nothing).point).mean(1)
    total = sum(part.flatten(1).sum(1) for part in parts.values())
    assert change.abs().max() > 1e-3, "the input says something"
    torch.testing.assert_close(total, change, rtol=1e-2, atol=1e-4 * float(change.abs().max()))


def test_the_column_that_decides_is_found(model, found):
    columns = model.task.insight(model.network, found).columns
    assert set(columns) == {"values", "price", "rain", "calendar"}
    assert columns["price"] > 5 * columns["rain"]


def test_coverage_is_the_share_inside_the_intervals(model, found, table):
    frame = model.cross_validation(table, level=[80], **ROLLING)
    inside = frame.select(
        ((pl.col("saiki-lo-80") <= pl.col("y")) & (pl.col("y") <= pl.col("saiki-hi-80"))).mean()
    ).item()
    coverage = insight(model.task, model.network, *found.judged).coverage
    assert coverage[80.0] == pytest.approx(inside)
    assert list(coverage.values()) == sorted(coverage.values())


def test_the_page_shows_them_and_needs_no_network(model, found):
    page = render(model, found, "report")
    titles = [
        "Error by step ahead",
        "Error by cutoff of the back-test",
        "Reliability of intervals",
        "by lag",
        "by column",
    ]
    for title in titles:
        assert title in page
    assert page.count("<svg") >= len(titles)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert pictures({}, None, None) == []
