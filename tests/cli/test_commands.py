"""Every command, on a small table, as a user types it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys

import polars as pl
import pytest

COLUMNS = ["--id", "store", "--time", "date", "--target", "sales"]
TINY = ["--steps", "3", "--width", "8", "--history", "14", "--threads", "1"]


def test_train_says_what_it_did(saiki, sales, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = saiki("train", "forecast", sales, *COLUMNS, "--horizon", 7, *TINY)
    assert answer.code == 0
    assert (tmp_path / "sales.saiki" / "config.json").exists()
    for part in ("series", "frequency", "season", "training: 3 steps", "left 0:00"):
        assert part in answer.err
    for part in ("saiki", "seasonal_naive", "MASE", "baseline", "saiki predict sales.saiki"):
        assert part in answer.out


@pytest.mark.slow
def test_progress_without_a_terminal_is_some_twenty_lines(saiki, sales, tmp_path):
    words = ["--steps", 60, "--validations", 60, "--patience", 100, "--width", 8, "--history", 14]
    answer = saiki("train", "forecast", sales, *COLUMNS, "--horizon", 7, *words, "--out", tmp_path / "m")
    assert answer.code == 0
    assert 15 <= sum("loss" in line for line in answer.err.splitlines()) <= 25


def test_train_as_json(saiki, sales, tmp_path):
    out = tmp_path / "m"
    answer = saiki("train", "forecast", sales, *COLUMNS, "--horizon", 7, *TINY, "--out", out, "--json")
    found = json.loads(answer.out)
    assert found["model"] == str(out)
    assert found["interrupted"] is False
    assert found["validation"]["scores"]["saiki"]["mae"] > 0
    assert isinstance(found["beats_baselines"], bool)


def test_quiet_is_quiet(saiki, sales, tmp_path):
    answer = saiki("train", "forecast", sales, *COLUMNS, "--horizon", 7, *TINY, "--out", tmp_path / "m", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_options_from_a_file(saiki, sales, tmp_path, kind):
    text = {
        "json": '{"horizon": 7, "steps": 3, "width": 8, "history": 14, "learning-rate": 0.01, "target": ["sales"]}',
        "toml": 'horizon = 7\nsteps = 3\nwidth = 8\nhistory = 14\nlearning-rate = 0.01\ntarget = ["sales"]',
    }[kind]
    config = tmp_path / f"options.{kind}"
    config.write_text(text)
    words = ["--id", "store", "--time", "date", "--config", config, "--width", 16, "--out", tmp_path / "m"]
    assert saiki("train", "forecast", sales, *words, "--quiet").code == 0
    stored = json.loads((tmp_path / "m" / "config.json").read_text())
    assert stored["training"]["learning_rate"] == 0.01
    assert stored["network"]["width"] == 16, "the command line wins"


def test_predict_writes_csv_to_stdout_and_nothing_else(saiki, model, sales):
    answer = saiki("predict", model, sales)
    assert answer.err == ""
    frame = pl.read_csv(io.StringIO(answer.out))
    assert frame.columns == ["store", "date", "saiki", "saiki-lo-80", "saiki-hi-80"]
    assert len(frame) == 4 * 7


@pytest.mark.parametrize(
    ("name", "read"), [("f.csv", pl.read_csv), ("f.parquet", pl.read_parquet), ("f.jsonl", pl.read_ndjson)]
)
def test_predict_to_a_file(saiki, model, sales, tmp_path, name, read):
    answer = saiki("predict", model, sales, "--out", tmp_path / name, "--json")
    assert json.loads(answer.out)["rows"] == 28
    assert len(read(tmp_path / name)) == 28


def test_evaluate(saiki, model, sales):
    found = json.loads(saiki("evaluate", model, sales, "--json").out)
    assert next(iter(found["scores"])) == "saiki"
    assert {"last_value", "seasonal_naive", "naive2", "seasonal_mean", "linear_lags"} <= set(found["scores"])
    text = saiki("evaluate", model, sales).out
    assert found["sentence"] in text


def test_evaluate_with_the_history_apart_gives_the_same_scores(saiki, model, sales, tmp_path):
    whole = pl.read_csv(sales)
    truth = whole.group_by("store", maintain_order=True).tail(7)
    whole.join(truth, on=["store", "date"], how="anti").write_csv(tmp_path / "history.csv")
    truth.write_csv(tmp_path / "truth.csv")
    apart = saiki("evaluate", model, tmp_path / "truth.csv", "--history", tmp_path / "history.csv", "--json")
    together = saiki("evaluate", model, sales, "--json")
    assert json.loads(apart.out)["scores"] == json.loads(together.out)["scores"]


def test_evaluate_writes_a_report(saiki, model, sales, tmp_path):
    assert saiki("evaluate", model, sales, "--html", tmp_path / "r.html").code == 0
    assert "<svg" in (tmp_path / "r.html").read_text()


def _stream(saiki, monkeypatch, model, lines, *options):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
    answer = saiki("stream", model, *options)
    return answer.code, [json.loads(line) for line in answer.out.splitlines()]


def test_a_stream_begins_after_a_history(saiki, model, sales, monkeypatch, tmp_path):
    table = pl.read_csv(sales).head(60)
    table.head(57).write_csv(tmp_path / "history.csv")
    lines = [json.dumps(row) for row in table.iter_rows(named=True)]
    _, whole = _stream(saiki, monkeypatch, model, lines)
    code, answers = _stream(saiki, monkeypatch, model, lines[57:], "--history", tmp_path / "history.csv")
    assert code == 0
    assert answers == whole[57:]


def test_a_stream_equals_predict(saiki, model, sales, monkeypatch, tmp_path):
    table = pl.read_csv(sales).head(60)  # of one store
    code, answers = _stream(saiki, monkeypatch, model, [json.dumps(row) for row in table.iter_rows(named=True)])
    assert code == 0
    assert len(answers) == 60
    table.write_csv(tmp_path / "part.csv")
    saiki("predict", model, tmp_path / "part.csv", "--out", tmp_path / "f.jsonl")
    expected = pl.read_ndjson(tmp_path / "f.jsonl")["saiki"].to_list()
    assert answers[-1]["saiki"] == pytest.approx(expected, rel=1e-5)


def test_a_bad_line_is_answered_and_the_stream_goes_on(saiki, model, monkeypatch):
    good = [json.dumps({"store": "a", "date": f"2024-01-{d:02d}", "sales": 5.0 + d}) for d in (1, 2, 3)]
    bad = [
        "not json",
        "[1]",
        '{"store": "a"}',
        '{"store": "a", "date": "2024-01-01", "sales": 1}',
        '{"store": "a", "date": 7, "sales": 1}',
    ]
    bad += ['{"store": "a", "date": "2024-01-09", "sales": "many"}', '{"store": "a", "date": "soon", "sales": 1}']
    code, answers = _stream(saiki, monkeypatch, model, [*good[:2], *bad, "", good[2]])
    assert code == 0
    assert ["error" in a for a in answers] == [False, False, *[True] * len(bad), False]
    assert answers[2]["line"] == 3
    _, without = _stream(saiki, monkeypatch, model, good)
    assert answers[-1] == without[-1], "bad lines leave no trace"


def test_inspect_a_model_a_file_and_the_system(saiki, model, sales):
    facts = json.loads(saiki("inspect", model, "--json").out)
    assert facts["task"] == "forecast, 7 steps ahead"
    assert "8 units" in facts["network"]
    assert "7 steps" in saiki("inspect", sales, *COLUMNS).out
    assert "no forecast yet" in saiki("inspect", sales).out, "no column y: said, not an error"
    assert "native" in json.loads(saiki("inspect", "--system", "--json").out)


def test_inspect_text_and_labels(saiki, tmp_path):
    (tmp_path / "t.txt").write_text("one two\nthree\n")
    assert "2, the longest of 7 characters" in saiki("inspect", tmp_path / "t.txt").out
    (tmp_path / "l.csv").write_text("text,y\nfine,good\npoor,bad\nfair,good\n")
    assert json.loads(saiki("inspect", tmp_path / "l.csv", "--json").out)["classes"] == "2: good (2), bad (1) in y"


def test_list(saiki):
    assert "gru" in saiki("list", "cells").out
    assert set(json.loads(saiki("list", "tasks", "--json").out)) >= {"forecast"}


@pytest.mark.slow
def test_bench(saiki):
    found = json.loads(saiki("bench", "--repeats", 1, "--json").out)
    assert len(found["points"]) == 9
    assert all(point["ratio"] > 0 for point in found["points"])


@pytest.mark.slow
def test_demo(saiki, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # rerun allowed
        answer = saiki("demo")
        assert answer.code == 0, answer.err
    assert "The model beats the best baseline" in answer.out
    assert (tmp_path / "saiki-demo" / "forecast.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "saiki-demo" / "report.html").read_text()
    assert "<svg" in page
    for outside in ("<script", "<link", 'src="http', "url(http", "@import"):
        assert outside not in page
    assert saiki("predict", "saiki-demo/model", "saiki-demo/co2.csv", "--out", "f.csv").code == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_keeps_the_best_and_resume_goes_on(saiki, sales, tmp_path):
    options = [*COLUMNS, "--horizon", 7, "--width", 8, "--history", 14, "--threads", 1, "--steps", 4000]
    options += ["--validations", 4000, "--patience", 4000, "--out", tmp_path / "m"]
    words = ["train", "forecast", sales, *options]
    command = [sys.executable, "-u", "-c", "from saiki.cli import main; main()", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any("loss" in line for line in process.stderr), "training has begun"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    assert process.returncode == 130
    assert "--resume goes on" in out
    assert saiki("inspect", tmp_path / "m").code == 0
    answer = saiki(*words, "--resume")
    assert answer.code == 0
    assert "resumed at" in answer.err
    assert not (tmp_path / "m.training").exists()


def test_bytes_that_are_no_text_spoil_their_line_of_a_stream_only(monkeypatch, capsys):
    import types

    import saiki
    from saiki.cli import run

    stream = types.SimpleNamespace(push=lambda row: [row])
    monkeypatch.setattr(saiki, "load", lambda path: types.SimpleNamespace(stream=lambda history: stream), raising=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'\xff\xfe\n{"y": 1}\n'), encoding="utf-8"))
    assert run(["stream", "m"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "not JSON" in json.loads(first)["error"]
    assert json.loads(second) == {"y": 1}


def test_half_a_character_spoils_its_line_of_a_stream_only(monkeypatch, capsys):
    import types

    import saiki
    from saiki.cli import run

    def push(row):
        if "y" not in row:
            raise ValueError(f"the row has no 'y' (it has: {', '.join(row)})")
        return row

    stream = types.SimpleNamespace(push=push)
    monkeypatch.setattr(saiki, "load", lambda path: types.SimpleNamespace(stream=lambda history: stream), raising=False)
    lines = [r'{"id": "\ud800", "y": 1}', r'{"\ud800": 1}', r'{"id": "\ud83d\ude00", "y": 1}']
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))
    assert run(["stream", "m"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "half of a character" in answers[0]["error"]
    assert r"it has: \ud800" in answers[1]["error"]
    assert answers[2] == {"id": "\U0001f600", "y": 1}


def test_outputs_are_checked_before_the_work(saiki, model, sales, tmp_path):
    for given, says in (
        (("--out", tmp_path / "q.xyz"), "cannot write a file with .xyz"),
        (("--out", tmp_path / "none" / "q.csv"), "there is no folder"),
        (("--html", tmp_path / "none" / "q.html"), "there is no folder"),
        (("--out", tmp_path / "q.csv", "--html", tmp_path / "q.csv"), "expected two files"),
    ):
        answer = saiki("evaluate", model, sales, *given)
        assert answer.code == 2
        assert says in answer.err
        assert not answer.out
    assert saiki("predict", model, sales, "--out", tmp_path / "q.xyz").code == 2


def test_a_stream_may_begin_with_a_mark_of_its_encoding(saiki, model, sales, monkeypatch):
    rows = pl.read_csv(sales).head(2).to_dicts()
    text = "\ufeff" + "".join(json.dumps(row) + "\n" for row in rows)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    answer = saiki("stream", model)
    assert answer.code == 0
    assert "error" not in answer.out


def test_the_demo_replaces_no_file_of_others(saiki, tmp_path):
    (tmp_path / "co2.csv").write_text("mine")
    answer = saiki("demo", "--out", tmp_path)
    assert answer.code == 2
    assert "holds co2.csv, which no demo has made" in answer.err
    assert (tmp_path / "co2.csv").read_text() == "mine"
