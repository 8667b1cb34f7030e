"""Planted leaks are reported, each by its name; data without one are not accused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.data.audit import audit_labelled, audit_panel, audit_scaler, audit_windows
from saiki.data.labelled import labelled
from saiki.data.panel import panel


def table(series: int = 3, steps: int = 80) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(series, steps)).cumsum(1)
    ids, time = np.indices(y.shape)
    return pl.DataFrame({"unique_id": ids.ravel(), "ds": time.ravel(), "y": y.ravel(), "x": rng.normal(size=y.size)})


def shifted(frame: pl.DataFrame, steps: int) -> pl.DataFrame:
    return frame.with_columns(x=3 * pl.col("y").shift(-steps).over("unique_id") + 7)


def test_clean_data_are_not_accused():
    assert audit_panel(panel(table(), past=["x"]), 5) == []
    assert audit_panel(panel(table(), future=["x"]), 5) == []
    assert audit_panel(panel(shifted(table(), 0), past=["x"]), 5) == [], "the present may be repeated"
    assert audit_panel(panel(shifted(table(), -5), future=["x"]), 5) == [], "known by the time it is used"


@pytest.mark.parametrize(("role", "lag"), [("past", 1), ("past", 4), ("future", 2), ("future", 0), ("future", -3)])
def test_a_shifted_copy_of_the_target(role, lag):
    (found,) = audit_panel(panel(shifted(table(), lag), **{role: ["x"]}), 5)
    assert f"--{role} column 'x' is the target" in found


def test_tomorrow_is_found_in_smooth_series_and_in_prices():
    steps = np.arange(400)
    for seed in range(5):
        walk = 100 + np.random.default_rng(seed).normal(size=400).cumsum()
        for y in (walk, 0.01 * steps**1.5 + np.sin(steps / 40) + 1e-3 * walk):
            frame = pl.DataFrame({"unique_id": 1, "ds": steps, "y": y}).with_columns(x=pl.col("y").shift(-1))
            (found,) = audit_panel(panel(frame, past=["x"]), 5)
            assert "1 steps later" in found


def test_a_plan_near_the_truth_of_stores_of_all_sizes_is_none():
    rng = np.random.default_rng(0)
    level = np.repeat(10.0 ** rng.uniform(0, 4, 30), 60)
    y = level * (1 + 0.05 * rng.normal(size=1800))
    frame = pl.DataFrame({"unique_id": np.repeat(np.arange(30), 60), "ds": np.tile(np.arange(60), 30), "y": y})
    planned = frame.with_columns(x=pl.Series(y * (1 + 0.02 * rng.normal(size=1800))))
    assert audit_panel(panel(planned, future=["x"]), 5) == []


def test_a_duplicated_series():
    frame = table()
    copy = frame.filter(pl.col("unique_id") == 1).with_columns(unique_id=pl.lit(9, pl.Int64))
    (found,) = audit_panel(panel(pl.concat([frame, copy])), 5)
    assert "1 series repeat another one ('9' is '1')" in found
    (found,) = audit_labelled(labelled(pl.concat([frame, copy]).with_columns(y=pl.col("unique_id"))))
    assert "--group" in found


def test_overlapping_windows():
    seen = np.array([[0, 0, 10], [0, 5, 15], [1, 0, 8]])
    assert audit_windows(seen, np.array([[0, 15, 20], [1, 8, 12], [2, 0, 9]])) == []
    (found,) = audit_windows(seen, np.array([[0, 14, 20], [1, 8, 12]]))
    assert "1 of 2 windows" in found


def test_a_scaler_fitted_on_all_data():
    rows = np.random.default_rng(0).normal(size=(50, 2)) + np.arange(50)[:, None]
    assert audit_scaler(rows[:40].mean(0), rows[:40], rows) == []
    (found,) = audit_scaler(rows.mean(0), rows[:40], rows)
    assert "2 of 2 features" in found


def test_the_answer_under_another_name_and_a_split_group():
    frame = table(series=12).with_columns(
        y=pl.col("unique_id") % 2, code=(pl.col("unique_id") % 2) * 5.0 + 1, who=pl.col("unique_id") // 4
    )
    (found,) = audit_labelled(labelled(frame, static=["code"], group="who"))
    assert "static column 'code' tells the answer" in found
    (found,) = audit_labelled(labelled(frame, source=["x", "code"], group="who"))
    assert "source column 'code' tells the answer" in found
    (found,) = audit_labelled(labelled(frame, source=["x"], group="who"), fold=np.arange(12) % 3)
    assert "3 groups of who" in found


def test_training_and_inspect_say_so(tmp_path, capsys):
    from saiki import cli

    said = []
    frame = shifted(table(), 2)
    given = {"horizon": 4, "past": ["x"], "season": 1, "steps": 1, "width": 4, "layers": 1, "refit": False}
    saiki.train("forecast", frame, say=said.extend, **given)
    assert any(word == "leak" and "'x'" in text for word, text in said)
    frame = pl.concat([table(), table().with_columns(pl.col("unique_id") + 10)])
    frame.write_csv(tmp_path / "t.csv")
    assert cli.run(["inspect", str(tmp_path / "t.csv")]) == 0
    assert "3 series repeat another one" in capsys.readouterr().out
