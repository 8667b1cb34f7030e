"""Forecasts as a clinic judges them: zones, events, and whether the patients are known."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import saiki
from saiki import cli
from saiki.errors import DataError, OptionError
from saiki.metrics import clarke

ROLLING = {"windows": 12, "step": 3, "baselines": ["last_value", "linear_lags"]}


def patients(names: str, seed: int) -> pl.DataFrame:
    """Glucose that swings between about 60 and 180 mg/dL, every five minutes."""
    rng, steps = np.random.default_rng(seed), 200
    t = np.arange(steps)
    ds = np.datetime64("2024-01-01", "us") + t * np.timedelta64(5, "m")
    y = [120 + 60 * np.sin(2 * np.pi * (t / 40 + rng.random())) + rng.normal(size=steps) for _ in names]
    return pl.DataFrame({"unique_id": np.repeat(list(names), steps), "ds": np.tile(ds, len(names)), "y": np.ravel(y)})


@pytest.fixture(scope="module")
def model():
    quick = {"steps": 10, "width": 8, "layers": 1, "history": 20, "patch": 1, "season": 1, "scale": "last"}
    return saiki.train("forecast", patients("abc", 0), horizon=6, holdout="id", seed=0, **quick)


@pytest.fixture(scope="module")
def found(model):
    return model.evaluate(patients("xy", 1), grid="clarke", event=["below:70"], **ROLLING)


def test_zones_are_those_of_all_forecasts(model, found):
    frame = model.cross_validation(patients("xy", 1), **ROLLING)
    zones = clarke.zones(frame["y"].to_numpy(), frame["saiki"].to_numpy())
    assert found.details["grid"]["saiki"]["A"] == pytest.approx((zones == 0).mean())
    assert sum(found.details["grid"]["saiki"][zone] for zone in "ABCDE") == pytest.approx(1)
    grid = next(table for table in found.tables if table.title == "Error grid (clarke)")
    assert [row[0] for row in grid.rows] == list(found.scores)


def test_the_last_value_foretells_no_event_and_gives_no_false_alarm(found):
    event = found.details["events"]["below:70"]
    assert event["last_value"]["events"] > 0
    assert (event["last_value"]["sensitivity"], event["last_value"]["false_alarm_rate"]) == (0, 0)
    assert event["last_value"]["lead_time"] is None
    assert event["linear_lags"]["sensitivity"] > 0.5, "a wave without surprises"
    assert 5 <= event["linear_lags"]["lead_time"] <= 30  # minutes, of a horizon of 30
    assert json.loads(json.dumps(found.to_json()))["details"]["events"]


def test_patients_that_training_saw_are_told(model, found, tmp_path):
    assert not any("in training too" in note for note in found.notes)
    model.save(tmp_path / "m")
    again = saiki.load(tmp_path / "m").evaluate(patients("xa", 1), grid="parkes")
    assert any(note.startswith("1 of 2 series that are scored were in training too") for note in again.notes)


def test_from_the_command_line(model, tmp_path, capsys):
    model.save(tmp_path / "m")
    patients("xy", 1).write_csv(tmp_path / "new.csv")
    words = [
        "evaluate",
        str(tmp_path / "m"),
        str(tmp_path / "new.csv"),
        "--grid",
        "parkes",
        "--event",
        "below:70",
        "above:170",
    ]
    assert cli.run([*words, "--windows", "4"]) == 0
    said = capsys.readouterr().out
    assert "Error grid (parkes)" in said
    assert "Event below:70" in said
    assert "false alarms per day" in said
    assert "Event above:170" in said


def test_what_has_no_meaning_is_one_line(model):
    with pytest.raises(OptionError, match="expected clarke or parkes"):
        model.evaluate(patients("xy", 1), grid="clark")
    in_mmol = patients("xy", 1).with_columns(pl.col("y") / 18.02)
    with pytest.raises(DataError, match="expects glucose in mg/dL"):
        model.evaluate(in_mmol, grid="clarke", **ROLLING)
