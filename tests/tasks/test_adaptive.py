"""Adaptive conformal intervals: against the recursion by hand, without looking ahead, and on data that drift."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.errors import OptionError
from saiki.tasks._adaptive import GRID, RATE, intervals, ladder
from saiki.tasks.forecast import toy


def found(truth: np.ndarray, step: int = 1, spread: float = 1.0):
    """A back-test of two series whose interval of level v reaches v / 100 spreads from 0; `truth [cutoffs, 2, horizon]`."""
    cutoffs, series, horizon = truth.shape
    point = np.zeros((series, horizon))
    ends = {
        f"saiki-{side}-{v:g}": point + sign * spread * v / 100 for v in GRID for side, sign in (("lo", -1), ("hi", 1))
    }
    return SimpleNamespace(
        panel=range(series),
        series=[np.arange(series)] * cutoffs,
        ends=[np.full(series, 10 + step * k) for k in range(cutoffs)],
        truth=list(truth),
        ladders=[ladder({"saiki": point} | ends)] * cutoffs,
    )


def test_it_is_the_recursion_by_hand():
    truth = np.random.default_rng(0).uniform(-1.5, 1.5, (12, 2, 1))
    truth[5, 0] = np.nan
    low, high = (end.reshape(12, 2, 1) for end in intervals(found(truth), 80))
    alpha = np.array([0.2, 0.2])
    for t in range(12):
        reach = 1 - alpha
        np.testing.assert_allclose(high[t, :, 0], reach)
        np.testing.assert_allclose(low[t, :, 0], -reach)
        miss = np.abs(truth[t, :, 0]) > reach
        alpha = np.where(np.isfinite(truth[t, :, 0]), alpha + RATE * (0.2 - miss), alpha)


def test_a_cutoff_knows_only_horizons_that_have_ended():
    truth = np.zeros((8, 2, 3))
    changed = truth.copy()
    changed[2] = 9.0  # is known three steps after its cutoff
    one, other = (intervals(found(t), 80)[1].reshape(8, 2, 3) for t in (truth, changed))
    np.testing.assert_array_equal(one[:5], other[:5])
    assert (other[5] > one[5]).all()


def test_when_the_errors_grow_the_intervals_follow():
    rng = np.random.default_rng(1)
    truth = rng.uniform(-1, 1, (300, 2, 1)) * np.where(np.arange(300) < 100, 0.5, 0.9)[:, None, None]
    _, high = (end.reshape(300, 2) for end in intervals(found(truth), 80))
    later = slice(150, None)
    covered = (np.abs(truth[later, :, 0]) <= high[later]).mean()
    assert covered == pytest.approx(0.8, abs=0.03)
    assert high[later].mean() > high[50:100].mean() + 0.2


def test_both_kinds_stand_side_by_side():
    table = toy(0, series=3, steps=150)
    model = saiki.train("forecast", table.filter(pl.col("ds") < 110), horizon=6, steps=10, width=8, layers=1, season=12)
    answer = model.evaluate(table, windows=5, step=6, level=80, adaptive=True, baselines=[])
    fixed, adaptive = answer.details["adaptive"]
    assert fixed["coverage"] == pytest.approx(answer.scores["saiki"]["coverage-80"])
    assert fixed["width"] == pytest.approx(answer.scores["saiki"]["width-80"])
    assert adaptive["intervals"] == "adaptive"
    assert np.isfinite(adaptive["width"])
    assert answer.tables[0].title == "Intervals along the cutoffs"
    assert not any("adaptive" in note for note in answer.notes)
    for few in ({"windows": 1}, {"windows": 5, "step": 1}):
        answer = model.evaluate(table, **few, level=80, adaptive=True, baselines=[])
        fixed, adaptive = answer.details["adaptive"]
        assert fixed["width"] == pytest.approx(adaptive["width"])
        assert any("no horizon was known by a later cutoff" in note and "all 6 steps" in note for note in answer.notes)
    with pytest.raises(OptionError, match="need levels"):
        model.evaluate(table, windows=5, adaptive=True, baselines=[])
    with pytest.raises(OptionError, match="give several"):
        model.evaluate(table, level=80, adaptive=True)
