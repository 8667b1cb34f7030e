"""A training that is killed goes on with --resume, and ends with the very weights of one that was not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

COLUMNS = ["--id", "store", "--time", "date", "--target", "sales", "--horizon", 7]
SIZES = [
    "--width",
    8,
    "--history",
    14,
    "--threads",
    1,
    "--steps",
    60,
    "--checkpoint-every",
    5,
    "--validations",
    12,
    "--patience",
    99,
]
SETTINGS = {
    "search": ["--no-refit"],
    "trained anew on everything": ["--refit"],
    "drawn at random": ["--no-refit", "--cell", "lstm", "--layers", 2, "--dropout", 0.3, "--zoneout", 0.1],
}


def _command(sales: Path, out: Path, setting: str, *more: str) -> list[str]:
    words = ["train", "forecast", sales, "--out", out, *COLUMNS, *SIZES, *SETTINGS[setting], *more]
    return [sys.executable, "-u", "-m", "saiki", *map(str, words)]


def _killed_after(lines: int, command: list[str]) -> None:
    """Kill -9 once so many validations are told: at that moment their checkpoint is written, or just has been."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        told = (line for line in process.stderr if "loss" in line)
        assert sum(1 for _, _ in zip(range(lines), told, strict=False)) == lines
        process.kill()
    assert process.returncode == -9


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize("setting", SETTINGS)
def test_kill_and_resume_are_as_if_nothing_had_been(saiki, sales, tmp_path, setting):
    whole = subprocess.run(_command(sales, tmp_path / "whole", setting), capture_output=True, text=True, check=True)
    told = sum("loss" in line for line in whole.stderr.splitlines())
    expected = load_file(tmp_path / "whole" / "model.safetensors")
    for lines in (1, told // 3, told // 3):
        _killed_after(lines, _command(sales, tmp_path / "m", setting, "--resume"))
        assert not (tmp_path / "m").exists()
    answer = saiki(*_command(sales, tmp_path / "m", setting, "--resume")[4:])
    assert answer.code == 0, answer.err
    assert "resumed at" in answer.err
    found = load_file(tmp_path / "m" / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "whole"]
