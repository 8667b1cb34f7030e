"""Score tables as text."""

from __future__ import annotations

from saiki.cli._console import as_json, table
from saiki.reporting.scores import label, number, rows

SCORES = {"saiki": {"mae": 1.23456, "coverage-80": 0.81}, "last_value": {"mae": float("nan")}}


def test_rows():
    assert rows(SCORES) == [["", "MAE", "coverage-80"], ["saiki", "1.235", "0.81"], ["last_value", "–", "–"]]


def test_labels_and_numbers():
    assert [label(m) for m in ("owa", "rmse", "smape", "pinball")] == ["OWA", "RMSE", "sMAPE", "pinball"]
    assert [number(v) for v in (None, float("inf"), 0.00012345, 123456.7)] == ["–", "–", "0.0001234", "123457"]


def test_columns_of_a_table_are_aligned():
    lines = table(rows(SCORES))
    assert len({len(line) for line in lines}) == 1
    assert lines[0].endswith("coverage-80")


def test_json_is_strict():
    import datetime

    import numpy as np

    data = {
        "a": float("nan"),
        "b": np.float32(0.5),
        "c": np.array([1.0, np.inf]),
        "d": datetime.date(2024, 1, 1),
        3: (1,),
    }
    assert as_json(data) == '{"a": null, "b": 0.5, "c": [1.0, null], "d": "2024-01-01", "3": [1]}'
