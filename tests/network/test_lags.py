"""The linear forecast inside a network: the baseline's, in whatever units, found before the first step and never trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import saiki
from saiki.baselines import linear_lags
from saiki.errors import OptionError
from saiki.network.lags import LinearLags
from saiki.tasks.forecast import toy

QUICK = {"horizon": 6, "season": 12, "width": 8, "layers": 1, "batch": 16}


@pytest.mark.parametrize(("season", "missing"), [(12, False), (5, False), (1, False), (5, True)])
def test_it_is_the_baseline_in_any_units_after_any_end(season, missing):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(3, 200)).cumsum(1)
    lags = linear_lags.count_lags(200, season)
    if missing:
        y[:, [120, 188, 193]] = np.nan  # lags, but not of the last season, which the seasonal naive forecast repeats
    for row in range(3):
        expected = linear_lags.forecast(y[row], 7, season)
        part = LinearLags(lags=lags, horizon=7, season=season).double()
        alone = [(np.array([0]), y[row : row + 1])]
        part.weight.copy_(torch.from_numpy(linear_lags._fit(lambda alone=alone: alone, lags, 7, season)))
        x = torch.from_numpy(3 * y[row : row + 1] - 50)
        seen = x.isfinite()
        after = torch.full((1, 9), 7.0, dtype=x.dtype)  # steps after the end must not matter
        both = torch.cat([torch.where(seen, x, 0), after], 1)
        found = part(both, torch.cat([seen, after > 0], 1), torch.tensor([200]))
        np.testing.assert_allclose((found[0, 0].numpy() + 50) / 3, expected, rtol=1e-9, atol=1e-9)


def test_few_series_have_it_and_steps_leave_it_as_it_is():
    table = toy(0, series=3, steps=160)
    one, more = (saiki.train("forecast", table, steps=n, refit=False, holdout="none", **QUICK) for n in (1, 10))
    weight = one.network.linear.weight
    assert weight.any()
    assert torch.equal(weight, more.network.linear.weight)
    panel = more.task.read(table)
    expected = linear_lags.weights(replace(panel, y=np.log(panel.y)), len(weight) - 1, 6, 12)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6, atol=1e-6)
    assert one.network.linear.share == more.network.linear.share == 0  # nothing was held out to settle it by
    assert saiki.train("forecast", table, steps=1, lags=0, **QUICK).network.linear is None
    assert saiki.train("forecast", toy(0, series=20, steps=80), steps=1, **QUICK).network.linear is None


@pytest.mark.parametrize("refit", [False, True])
def test_what_is_linear_is_left_to_the_linear_forecast(refit):
    rng, y = np.random.default_rng(0), np.zeros((2, 400))
    for t in range(2, 400):
        y[:, t] = 1.6 * y[:, t - 1] - 0.9 * y[:, t - 2] + rng.normal(size=2)
    given = {"horizon": 4, "season": 1, "history": 28, "width": 8, "layers": 1, "steps": 5, "refit": refit}
    plain = saiki.train("forecast", y[:, :380], lags=0, **given)
    mixed = saiki.train("forecast", y[:, :380], **given)
    assert mixed.network.linear.share > 0.5
    one, other = (m.evaluate(y, windows=5, step=4, baselines=["linear_lags"]).scores for m in (plain, mixed))
    assert other["saiki"]["mase"] < 0.8 * one["saiki"]["mase"]
    assert other["saiki"]["mase"] < 1.1 * other["linear_lags"]["mase"]


def test_training_that_goes_on_keeps_it_and_a_loaded_model_has_it(tmp_path):
    table = toy(0, series=3, steps=160)
    old = saiki.train("forecast", table.filter(pl.col("ds") < 120), steps=3, out=tmp_path / "m", **QUICK)
    assert saiki.load(tmp_path / "m").predict(table).equals(old.predict(table))
    new = saiki.train("forecast", table, from_=tmp_path / "m", steps=3)
    assert torch.equal(new.network.linear.weight, old.network.linear.weight)
    assert new.network.linear.share == old.network.linear.share


@pytest.mark.parametrize(
    ("given", "says"),
    [({"lags": 9999}, "lags 9999 is more than the history"), ({"lags": 5, "cell": "echo_state"}, "leave --lags")],
)
def test_lags_without_meaning_are_one_line(given, says):
    with pytest.raises(OptionError, match=says):
        saiki.train("forecast", toy(0, series=3, steps=160), steps=1, **(QUICK | given))
