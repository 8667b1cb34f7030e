"""The program's start: as a module, and stopped before it has begun."""

from __future__ import annotations

import builtins
import subprocess
import sys

import pytest

import saiki
from saiki import __main__ as program


def test_python_m_saiki():
    done = subprocess.run([sys.executable, "-m", "saiki", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"saiki {saiki.__version__}\n"


def test_ctrl_c_while_the_program_is_imported_is_one_line(monkeypatch, capsys):
    honest = builtins.__import__

    def stopped(name, *more):
        if name == "saiki.cli":
            raise KeyboardInterrupt
        return honest(name, *more)

    monkeypatch.setattr(builtins, "__import__", stopped)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "saiki: interrupted\n"
