"""A user's mistake is one line on stderr and exit code 2, and leaves nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import polars as pl
import pytest

COLUMNS = ["--id", "store", "--time", "date", "--target", "sales"]
TINY = ["--horizon", "7", "--steps", "3", "--width", "8", "--history", "14", "--threads", "1"]


def one_line(answer, *parts: str) -> None:
    assert answer.code == 2, answer
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if line.startswith("saiki: ")]
    assert len(lines) == 1, answer.err
    assert answer.err.splitlines()[-1] == lines[0]
    assert "Traceback" not in answer.err
    assert "bug" not in lines[0]
    for part in parts:
        assert part in lines[0], lines[0]


@pytest.fixture
def train(saiki, tmp_path):
    """Train on a table or a text with options; nothing may be left behind."""

    def run(data, *words, columns=COLUMNS, name="data.csv"):
        path = tmp_path / name
        if isinstance(data, pl.DataFrame):
            data.write_csv(path)
        elif data is not None:
            path.write_text(data)
        answer = saiki("train", "forecast", path, "--out", tmp_path / "m", *columns, *TINY, *words)
        left = {p.name for p in tmp_path.iterdir()} - {name}
        assert not left, left
        return answer

    return run


@pytest.fixture
def table(sales) -> pl.DataFrame:
    return pl.read_csv(sales)


def test_missing_file(train):
    one_line(train(None), "data.csv", "no such file")


def test_empty_file(train):
    one_line(train(""), "data.csv", "empty")


def test_only_a_header(train):
    one_line(train("store,date,sales\n"), "no rows")


def test_unknown_suffix(train, table):
    one_line(train(table, name="data.cvs"), ".cvs", ".csv")


def test_text_as_target(train, table):
    one_line(train(table.with_columns(sales=pl.lit("many"))), "sales", "text")


def test_no_such_column(train, table):
    one_line(
        train(table, columns=["--id", "store", "--time", "date", "--target", "slaes"]), "slaes", "did you mean 'sales'"
    )
    one_line(train(table, columns=["--id", "stroe", "--time", "date", "--target", "sales"]), "stroe", "'store'")


def test_infinite_values(train, table):
    spoilt = table.with_columns(sales=pl.when(pl.int_range(pl.len()) == 9).then(float("inf")).otherwise("sales"))
    one_line(train(spoilt), "sales", "infinite", "row 10")


def test_no_series_with_two_rows(train, table):
    one_line(train(table.with_columns(store=pl.int_range(pl.len()))), "no series has two rows")


def test_horizon_longer_than_every_history(train, table):
    one_line(train(table, "--horizon", "500"), "500", "longer", "--horizon")


def test_duplicated_times(train, table):
    one_line(train(pl.concat([table, table.head(1)])), "duplicated times", "2024-01-01")


def test_times_that_are_not_times(train, table):
    one_line(train(table.with_columns(date=pl.lit("soon"))), "date", "soon")


def test_unknown_cell(train, table):
    one_line(train(table, "--cell", "gro"), "gro", "did you mean 'gru'")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--widht", "3"], ["--widht", "did you mean '--width'"]),
        (["--width", "many"], ["width", "many"]),
        (["--dropout", "1.5"], ["dropout", "1.5"]),
        (["--scale", "huge"], ["scale", "huge"]),
        (["--level", "80", "120"], ["level", "120"]),
        (["--minutes", "1"], ["minutes", "steps"]),
        (["--projection", "4", "--cell", "gru"], ["projection", "gru", "lstm"]),
        (["--loss", "owe"], ["owe", "owa"]),
        (["--freq", "fortnight"], ["fortnight"]),
        (["--width"], ["--width"]),
    ],
)
def test_options_that_do_not_fit(train, table, words, parts):
    one_line(train(table, *words), *parts)


def test_horizon_is_required(saiki, sales, tmp_path):
    one_line(saiki("train", "forecast", sales, *COLUMNS, "--out", tmp_path / "m"), "horizon")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["tarin"], ["tarin", "did you mean 'train'"]),
        (["train", "forcast", "x.csv"], ["forcast", "did you mean 'forecast'"]),
        (["train"], ["TASK"]),
        (["train", "forecast"], ["DATA"]),
        (["train", "forecast", "--target", "y", "x.csv"], ["DATA", "before"]),
        (["predict"], ["MODEL"]),
        (["predict", "nowhere", "x.csv"], ["nowhere", "no model"]),
        (["list", "cell"], ["cell", "cells"]),
        (["inspect"], ["--system"]),
        (["inspect", "nowhere.csv"], ["nowhere.csv"]),
        (["bench", "--repeats", "0"], ["--repeats", "1"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_command_lines_that_do_not_fit(saiki, words, parts):
    one_line(saiki(*words), *parts)


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("o.json", '{"widht": 3}', ["widht", "width"]),
        ("o.json", "[1]", ["list", "options"]),
        ("o.json", "{", ["o.json", "JSON"]),
        ("o.toml", "width = ", ["o.toml", "TOML"]),
        ("o.yaml", "width: 3", [".yaml", ".toml"]),
    ],
)
def test_files_of_options_that_do_not_fit(saiki, sales, tmp_path, name, text, parts):
    (tmp_path / name).write_text(text)
    one_line(saiki("train", "forecast", sales, *COLUMNS, *TINY, "--config", tmp_path / name), *parts)
    one_line(saiki("train", "forecast", sales, "--config", tmp_path / "absent.json"), "absent.json")


def test_an_existing_model_needs_force(saiki, model, sales):
    before = (model / "config.json").read_bytes()
    one_line(saiki("train", "forecast", sales, *COLUMNS, *TINY, "--out", model), "exists already", "--force")
    assert (model / "config.json").read_bytes() == before


def test_what_is_not_a_model_is_never_replaced(saiki, sales, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter.txt").write_text("dear")
    one_line(
        saiki("train", "forecast", sales, *COLUMNS, *TINY, "--out", tmp_path / "precious", "--force"),
        "not a saved model",
    )
    assert (tmp_path / "precious" / "letter.txt").read_text() == "dear"


def test_an_existing_forecast_needs_force(saiki, model, sales, tmp_path):
    out = tmp_path / "f.csv"
    out.write_text("mine")
    one_line(saiki("predict", model, sales, "--out", out), "f.csv", "--force")
    assert out.read_text() == "mine"
    assert saiki("predict", model, sales, "--out", out, "--force").code == 0


@pytest.mark.parametrize(("option", "name"), [("--out", "f.csv"), ("--html", "r.html")])
def test_an_existing_file_of_evaluate_needs_force(saiki, model, sales, tmp_path, option, name):
    out = tmp_path / name
    out.write_text("mine")
    one_line(saiki("evaluate", model, sales, option, out), name, f"choose another {option}", "--force")
    assert out.read_text() == "mine"
    assert saiki("evaluate", model, sales, option, out, "--force").code == 0
    assert out.read_text() != "mine"


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_data_are_not_replaced_by_what_is_said_of_them(saiki, model, sales, tmp_path, command):
    data = tmp_path / "d.csv"
    shutil.copy(sales, data)
    one_line(saiki(command, model, data, "--out", data, "--force"), "d.csv is read by the command", "another --out")
    assert data.read_bytes() == sales.read_bytes()


def test_predict_with_a_column_missing(saiki, model, table, tmp_path):
    table.rename({"sales": "sails"}).write_csv(tmp_path / "d.csv")
    one_line(saiki("predict", model, tmp_path / "d.csv", "--out", tmp_path / "f.csv"), "sales", "sails")
    assert not (tmp_path / "f.csv").exists()


def test_forecast_to_an_unknown_format(saiki, model, sales, tmp_path):
    one_line(saiki("predict", model, sales, "--out", tmp_path / "f.xlsx"), ".xlsx", ".csv")


def _newer(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": 99}))


def _edited(folder):
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"horizon": 7', '"horizon": 8'))


def _flipped(folder):
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)


def _cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:100])


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (_cut("model.safetensors"), "damaged"),
        (_cut("config.json"), "damaged"),
        (_flipped, "damaged"),
        (_edited, "damaged"),
        (_newer, "format 99"),
    ],
)
def test_a_model_that_is_damaged_or_newer(saiki, model, sales, tmp_path, spoil, part):
    folder = tmp_path / "m"
    shutil.copytree(model, folder)
    spoil(folder)
    for words in (["predict", folder, sales], ["evaluate", folder, sales], ["inspect", folder], ["stream", folder]):
        one_line(saiki(*words), part)


_SMALL_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
from saiki.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_disk_that_is_full(model, sales, tmp_path):
    """A limit on the size of files stands for a full disk: writing fails in the middle."""
    for words in (
        ["train", "forecast", sales, *COLUMNS, *TINY, "--out", tmp_path / "m", "--quiet"],
        ["predict", model, sales, "--out", tmp_path / "f.jsonl", "--quiet"],
    ):
        command = [sys.executable, "-c", _SMALL_FILES, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.startswith("saiki: "), done.stderr
        assert not list(tmp_path.iterdir())


def test_a_bug_is_one_line_that_says_so(saiki, monkeypatch):
    def broken(*_):
        raise RuntimeError("tensors do not fit\nmore")

    monkeypatch.setattr("saiki.catalog.names", broken)
    answer = saiki("list", "cells")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    for part in ("RuntimeError: tensors do not fit", "bug", "--debug"):
        assert part in answer.err
    assert "Traceback" in saiki("list", "cells", "--debug").err


def test_debug_shows_the_traceback_of_a_mistake(saiki):
    assert "Traceback" in saiki("predict", "nowhere", "x.csv", "--debug").err


def test_ctrl_c_ends_with_130(saiki, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("saiki.catalog.names", stopped)
    answer = saiki("list", "cells")
    assert answer.code == 130
    assert "Traceback" not in answer.err


def test_a_closed_pipe_is_quiet():
    code = "from saiki.cli import main; main()"
    done = subprocess.run(
        f"{sys.executable} -c '{code}' list cells | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode in (0, 141)
