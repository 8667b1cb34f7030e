"""Every instruction set this machine has gives the answers: the other files of this folder, run again under each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from saiki.kernels.table import native

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("isa", native.available()[1:] if native else [])
def test_other_instruction_sets(isa):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        str(HERE / "test_answers.py"),
        str(HERE / "test_accuracy.py"),
        str(HERE / "test_threads.py"),
    ]
    done = subprocess.run(command, env={**os.environ, "SAIKI_ISA": isa}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_threads_of_its_own():
    """What runs after a fork, or where torch has another runtime than OpenMP's."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", str(HERE / "test_answers.py"), str(HERE / "test_threads.py")]
    done = subprocess.run(
        command, env={**os.environ, "SAIKI_THREADS": "own"}, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_a_wish_that_cannot_be_met_is_said():
    code = "from saiki import kernels; print(kernels.report()['why_not'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SAIKI_ISA": "vax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SAIKI_ISA=vax is not available" in done.stdout + done.stderr
