"""Pictures and the report: complete, self-contained, and safe whatever the data says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import polars as pl
import pytest

import saiki
from saiki.errors import DataError
from saiki.reporting.outlook import chosen, outlook
from saiki.reporting.page import render, score_table, write_report
from saiki.reporting.plot import COLOURS, curve_svg, forecast_plot, forecast_svg

NASTY = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    days = np.arange(60)
    frames = []
    for name, noise in (("calm", 0.0), (NASTY, 1.0), ("wild", 25.0)):
        rng = np.random.default_rng(len(name))
        y = 100 + 20 * np.sin(2 * np.pi * days / 7) + noise * rng.normal(size=60)
        frames.append(pl.DataFrame({"unique_id": [name] * 60, "ds": days, "y": y}))
    return pl.concat(frames)


@pytest.fixture(scope="module")
def model(table):
    quick = {"steps": 3, "width": 8, "history": 14, "season": 7, "seed": 0}
    return saiki.train("forecast", table, horizon=7, level=[80, 95], **quick)


@pytest.fixture(scope="module")
def found(model, table):
    return model.evaluate(table)


@pytest.fixture(scope="module")
def page(model, found) -> str:
    return render(model, found, f"title {NASTY}")


def test_an_outlook_joins_history_and_forecast(found):
    picture = outlook(found, 0)
    assert len(picture.history) == len(picture.times) == 21
    assert picture.ahead[0] == picture.times[-1] + 1
    assert list(picture.bands) == ["95", "80"], "the widest lies at the back"
    assert picture.baseline_name == found.best_baseline


def test_series_are_shown_from_best_to_worst(found):
    error = np.abs(found.truth - found.forecasts["saiki"]).sum(1) / np.abs(found.truth).sum(1)
    shown = chosen(found)
    assert shown == sorted(range(3), key=lambda k: error[k])
    assert chosen(found, 1) == shown[:1]


def test_a_picture_is_a_png_or_nothing(found, tmp_path):
    forecast_plot(tmp_path / "f.png", outlook(found, 0))
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="could not be written"):
        forecast_plot(tmp_path / "nowhere" / "f.png", outlook(found, 0))
    assert [p.name for p in tmp_path.iterdir()] == ["f.png"]


def test_svg_takes_the_colours_of_the_page(found, model):
    for text in (forecast_svg(outlook(found, 0)), curve_svg(model.run["curve"])):
        ElementTree.fromstring(text)
        assert "var(--forecast)" in text
        assert not any(colour in text for colour in COLOURS.values())
        assert "<metadata" not in text


def test_the_page_is_self_contained(page):
    for outside in ("<script", "<link", "@import", "url(http", 'src="'):
        assert outside not in page
    assert re.findall(r'href="(?!#)', page) == []
    assert "prefers-color-scheme: dark" in page
    assert page.count("<svg") == 6  # three forecasts, the learning curve, reliability, lags


def test_what_comes_from_data_is_escaped(page):
    assert NASTY not in page
    assert "&lt;script&gt;" in page


def test_the_page_says_what_the_model_says(page, found, model):
    assert found.best_baseline in page
    for word, _ in model.facts():
        assert word in page


def test_the_best_of_each_column_is_marked():
    table = score_table({"saiki": {"mae": 2.0, "coverage-80": 1.0}, "naive2": {"mae": 1.0}})
    assert table["rows"] == [("saiki", [("2", False), ("1", False)]), ("naive2", [("1", True), ("–", False)])]


@pytest.mark.slow
def test_a_page_is_written_whole_or_not_at_all(model, found, tmp_path):
    write_report(tmp_path / "r.html", model, found, "title")
    with pytest.raises(DataError, match="could not be written"):
        write_report(tmp_path / "nowhere" / "r.html", model, found, "title")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
