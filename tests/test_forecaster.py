"""saiki.Forecaster as scikit-learn uses it."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.errors import ModelError, OptionError

ROWS = 20 + 5 * np.sin(2 * np.pi * np.arange(60) / 12) + np.random.default_rng(0).normal(size=(4, 60))
GIVEN = {"steps": 5, "width": 8, "layers": 1, "season": 12, "refit": False}


def test_it_is_train_and_predict():
    made = saiki.Forecaster(horizon=6, **GIVEN).fit(ROWS)
    plain = saiki.train("forecast", ROWS, horizon=6, **GIVEN)
    assert made.predict().equals(plain.predict(ROWS))
    assert made.score(ROWS) == -plain.evaluate(ROWS, baselines=[]).scores["saiki"]["mase"]
    assert "saiki-hi-90" in made.predict(ROWS, level=90).columns


def test_it_can_be_cloned_and_set():
    base = pytest.importorskip("sklearn.base")
    made = saiki.Forecaster(horizon=6, **GIVEN)
    twin = base.clone(made).set_params(horizon=3, width=12)
    assert twin.get_params() == {"horizon": 3, **GIVEN, "width": 12}
    assert made.get_params() == {"horizon": 6, **GIVEN}


@pytest.mark.slow
def test_a_grid_search_and_a_pipeline_take_it():
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    asked = {k: v for k, v in GIVEN.items() if k != "width"}
    search = selection.GridSearchCV(saiki.Forecaster(horizon=6, **asked, width=4), {"width": [4, 8]}, cv=2).fit(ROWS)
    assert search.best_params_["width"] in (4, 8)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    made = pipeline.make_pipeline(saiki.Forecaster(horizon=6, **GIVEN)).fit(ROWS)
    assert made.predict(ROWS).equals(saiki.Forecaster(horizon=6, **GIVEN).fit(ROWS).predict(ROWS))


def test_mistakes_are_one_line():
    with pytest.raises(ModelError, match="fit"):
        saiki.Forecaster(horizon=6).predict(ROWS)
    with pytest.raises(OptionError, match="column"):
        saiki.Forecaster(horizon=6).fit(ROWS, ROWS)


def test_seasons_that_repeat_exactly_are_scored_by_their_error():
    table = pl.DataFrame({"ds": range(60), "y": [float(10 + k % 7) for k in range(60)]})
    score = saiki.Forecaster(horizon=7, steps=3, width=8, ensemble=1, season=7).fit(table).score(table)
    assert score <= 0
    assert math.isfinite(score)
