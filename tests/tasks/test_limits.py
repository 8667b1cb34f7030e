"""Values at the edges of float64, and covariates that hold nothing where the forecast is made."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.data.panel import panel
from saiki.errors import DataError

TINY = {"horizon": 5, "steps": 2, "width": 4, "history": 14, "threads": 1}
WAVE = 1.5 + np.sin(np.arange(60) * 2 * np.pi / 7) + 0.1 * np.sin(np.arange(60) ** 2)


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def _table(y, **more) -> pl.DataFrame:
    days = np.datetime64("2024-01-01") + np.arange(len(y))
    return pl.DataFrame({"ds": days, "y": y, **more})


@pytest.mark.parametrize("size", [1e-310, 1e-45, 1e139])
def test_very_small_and_large_values_are_forecast(size):
    data = _table(WAVE * size)
    model = saiki.train("forecast", data, **TINY)
    assert model.predict(data)["saiki"].is_finite().all()
    assert all(np.isfinite(scores["mae"]) for scores in model.validation.scores.values())


@pytest.mark.parametrize("role", ["target", "past", "static"])
@pytest.mark.parametrize("value", [1e300, -np.finfo(float).max])
def test_marks_for_missing_values_are_one_line(role, value):
    data = _table(WAVE, v=np.where(np.arange(60) == 7, value, 1.0))
    with pytest.raises(DataError, match=r"'v' has 1 values beyond 1e\+140, the first in row 8 \(ds 2024-01-08"):
        panel(data, **{"target": ["y"], role: ["v"]})


def test_text_that_is_missing_altogether_is_missing():
    data = _table(WAVE, sky=np.where(np.arange(60) % 3 > 0, "sun", "rain"))
    model = saiki.train("forecast", data, past=["sky"], **TINY)
    nothing, empty = (data.with_columns(sky=pl.lit(None, kind)) for kind in (pl.Float64, pl.String))
    answers = [model.predict(given)["saiki"].to_list() for given in (nothing, empty)]
    assert answers[0] == answers[1]
    assert np.isfinite(answers[0]).all()
    with pytest.raises(DataError, match="trained on text there, but it holds numbers"):
        model.predict(data.with_columns(sky=pl.lit(1.0)))
