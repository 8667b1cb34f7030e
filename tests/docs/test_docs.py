"""The documentation: links lead somewhere, tables are up to date, commands exist, code runs."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer

from saiki import catalog
from saiki.cli import application

HOUSE = Path(__file__).resolve().parents[2]
PAGES = [*HOUSE.glob("*.md"), *sorted((HOUSE / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: what makes a documented command quick enough for a test
QUICKER = {"--minutes 2": "--steps 3 --width 8", "minutes=2": "steps=3, width=8"}
name_of = lambda page: str(page.relative_to(HOUSE))  # noqa: E731


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("saiki ")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_generated_tables_are_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(HOUSE / "docs")  # as where the script runs
    spec = importlib.util.spec_from_file_location("tables", HOUSE / "docs" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for name, text in tables.pages().items():
        assert (HOUSE / "docs" / "tables" / name).read_text(encoding="utf-8") == text, "run: python docs/tables.py"


def test_the_two_commands_at_the_top():
    first, second = blocks(HOUSE / "README.md", "sh")[:2]
    assert (first, second) == ("pip install . && saiki demo\n", "pip install '.[test]' && pytest\n")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_documented_commands_and_options_exist(page):
    for words in commands(page):
        group = typer.main.get_command(application((words[1],), words[1:]))
        flags = {flag for p in group.commands[words[1]].params for flag in p.opts}
        assert {w for w in words[2:] if w.startswith("--")} <= flags, words


def test_files_named_in_the_map_exist():
    text = (HOUSE / "ARCHITECTURE.md").read_text(encoding="utf-8").split("## To change X")[1]
    for path in re.findall(r"`([a-z_]+/[a-z_]+\.(?:py|html|h))`", text):
        assert (HOUSE / "src" / "saiki" / path).exists() or (HOUSE / path).exists(), path


def test_every_folder_of_choices_stands_on_the_map():
    text = (HOUSE / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for folder in (*catalog.FOLDERS, "cli", "kernels", "network", "training", "reporting", "data"):
        assert f"`{folder}/`" in text, folder


def sales(first: str) -> pl.DataFrame:
    """150 days of two stores with a week's rhythm."""
    days, rng = np.arange(150), np.random.default_rng(0)
    frames = [
        pl.DataFrame(
            {
                "store": [store] * 150,
                "date": (np.datetime64(first) + days).tolist(),
                "sales": (level + 20 * np.sin(2 * np.pi * days / 7) + rng.normal(size=150)).round(1),
            }
        )
        for store, level in (("north", 120), ("south", 90))
    ]
    return pl.concat(frames)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The files that the documentation speaks of, a stream of rows, and the program `saiki` on the path."""
    folder = tmp_path_factory.mktemp("user")
    table = sales("2024-01-01")
    table.write_csv(folder / "sales.csv")
    sales("2024-05-30").write_csv(folder / "newer.csv")
    table.head(5).with_columns(pl.col("date").cast(pl.String)).write_ndjson(folder / "rows.jsonl")
    program = folder / "bin" / "saiki"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from saiki.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    return folder


def quicker(text: str) -> str:
    for slow, quick in QUICKER.items():
        text = text.replace(slow, quick)
    return text


def run_in(place: Path, words: list[str]) -> None:
    path = {
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(catalog.__file__).parents[1]),
    }
    done = subprocess.run(words, cwd=place, env=os.environ | path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="runs shell commands")
@pytest.mark.parametrize(
    "page", ["README.md", "docs/guide/forecasting.md", "docs/guide/python.md", "docs/guide/streaming.md"]
)
def test_commands_and_code_run(place, page):
    """In the order of the page, in one folder, as a reader would; the README trains the model that the others use."""
    for language, text in FENCE.findall((HOUSE / page).read_text(encoding="utf-8")):
        if language == "sh":
            for line in text.splitlines():
                if line.startswith("saiki "):
                    run_in(place, ["bash", "-c", quicker(line)])
        elif language == "python":
            run_in(place, [sys.executable, "-c", quicker(text)])
