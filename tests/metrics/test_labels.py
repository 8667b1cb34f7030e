"""Scores of labels and numbers against scikit-learn's and by hand; the baselines of labels."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from saiki import baselines, catalog, metrics
from saiki.baselines._summary import summaries
from saiki.data.labelled import labelled
from saiki.metrics import accuracy, auc, calibration_error, log_loss, matthews, r2

sklearn = pytest.importorskip("sklearn.metrics")


def drawn(seed: int, classes: int, rows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(classes, size=rows - classes)])
    scores = rng.normal(size=(rows, classes)).round(1) + np.eye(classes)[truth]  # rounded, so that some are equal
    powers = np.exp(scores)
    return truth, powers / powers.sum(1, keepdims=True)


@given(st.integers(0, 10**6), st.integers(2, 4))
@settings(max_examples=20)
def test_as_scikit_learn_says(seed, classes):
    truth, found = drawn(seed, classes)
    ours, chosen = metrics.label_scores(truth, found), found.argmax(1)
    one = np.eye(classes)[truth]
    which = slice(None) if classes > 2 else slice(1, 2)
    expected = {
        "accuracy": sklearn.accuracy_score(truth, chosen),
        "macro_f1": sklearn.f1_score(truth, chosen, average="macro"),
        "auc": sklearn.roc_auc_score(one[:, which], found[:, which], average="macro"),
        "average_precision": sklearn.average_precision_score(one[:, which], found[:, which], average="macro"),
        "log_loss": sklearn.log_loss(truth, found),
        "matthews": sklearn.matthews_corrcoef(truth, chosen),
    }
    assert ours == pytest.approx(expected | {"calibration_error": ours["calibration_error"]})


def test_by_hand():
    truth, found = np.array([0, 0, 1, 1]), np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.3, 0.7]])
    assert accuracy.score(truth, found) == 0.75
    assert auc.score(truth, found) == 1
    assert log_loss.score(truth, found) == pytest.approx(-np.log([0.8, 0.4, 0.7, 0.7]).mean())
    # 0.8 right once, 0.6 wrong once, 0.7 right twice, each in a group of its own
    assert calibration_error.score(truth, found) == pytest.approx((0.2 + 0.6 + 2 * 0.3) / 4)
    assert matthews.score(np.zeros(3, int), np.eye(2)[[0, 1, 0]]) == 0
    assert r2.score(np.array([1.0, 2, 3]), np.array([1.0, 2, 3])) == 1
    assert r2.score(np.array([1.0, 2, 3]), np.full(3, 2.0)) == 0


def test_one_class_alone_has_no_auc():
    assert np.isnan(auc.score(np.zeros(3, int), np.full((3, 2), 0.5)))


def series(seed=0, count=40):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 6, count)
    ids = np.repeat(np.arange(count), lengths)
    x = rng.normal(size=len(ids)) + ids % 2
    x[rng.random(len(x)) < 0.2] = np.nan
    return labelled(pl.DataFrame({"unique_id": ids, "x": x, "y": ids % 2}).with_columns(pl.col("x").fill_nan(None)))


def test_summaries_of_a_series_do_not_depend_on_others():
    data = series()
    whole = summaries(data)
    for k in (0, 3, len(data) - 1):
        assert np.array_equal(summaries(data.select([k]))[0], whole[k], equal_nan=True)


def test_a_place_where_nothing_was_observed_tells_the_last_value_of_the_series():
    x = [7.0, None, 3.0, None, None, None, 5.0, 5.0]
    data = labelled(pl.DataFrame({"unique_id": ["a"] * 4 + ["b"] * 4, "x": x, "y": ["u"] * 4 + ["v"] * 4}))
    mean, spread, low, high, change, often, *places, length = summaries(data)[0]
    assert (mean, low, high, often, length) == pytest.approx((5, 3, 7, np.log(3), np.log(5)), rel=1e-14)
    assert spread == 2
    assert np.isnan(change)  # never seen at two steps in a row
    assert places == [7, 7, 7, 7, 3, 3, 3, 3]
    assert np.isnan(summaries(data)[1][6])  # nothing of the series before
    assert summaries(data)[1][-2] == 5


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_baselines_of_labels_are_plain_data_and_finite(task):
    data = series()
    x, truth = summaries(data), data.answers.to_numpy()
    for name in baselines.names(task):
        module = catalog.load("baselines", name)
        fitted = module.fit(x, truth if task == "classify" else truth.astype(float), 2)
        found = module.answer(fitted, x)
        assert np.isfinite(found).all()
        assert len(found) == len(data)
        if task == "classify":
            assert np.allclose(found.sum(1), 1)
    assert baselines.names("forecast") == (
        "ets", "last_value", "linear_lags", "naive2", "seasonal_mean", "seasonal_naive", "theta",
    )  # fmt: skip
