"""The file name is the registration: `cells/gru.py` is the choice `gru` everywhere.

A folder's choices are its modules whose names do not start with an underscore. Listing them imports nothing; a choice is
imported when it is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType

from saiki.errors import OptionError, near_misses

_HOUSE = Path(__file__).parent
#: Files of a choosing folder that are not choices.
_HELPERS = {"base", "options"}
#: folder -> the word that messages use for one of its choices
FOLDERS = {
    "cells": "cell",
    "tasks": "task",
    "readers": "reader",
    "modalities": "modality",
    "objectives": "objective",
    "metrics": "metric",
    "baselines": "baseline",
    "decoding": "decoding",
}


@cache
def names(folder: str) -> tuple[str, ...]:
    """The choices of a folder, sorted, found without importing any of them."""
    if folder not in FOLDERS:
        raise OptionError(f"no list called {folder!r}{near_misses(folder, FOLDERS)} (there are: {', '.join(FOLDERS)})")
    modules = pkgutil.iter_modules([str(_HOUSE / folder)])
    return tuple(sorted(m.name for m in modules if not m.name.startswith("_") and m.name not in _HELPERS))


def load(folder: str, name: str) -> ModuleType:
    """Import the module of one choice; a name that is not there is one line with near misses."""
    choices = names(folder)
    if name not in choices:
        word = FOLDERS[folder]
        raise OptionError(f"unknown {word} {name!r}{near_misses(name, choices)} (there are: {', '.join(choices)})")
    return importlib.import_module(f"saiki.{folder}.{name}")


def summary(folder: str, name: str) -> str:
    """The first line of a choice's module docstring, read from its source without importing it."""
    import ast

    tree = ast.parse((_HOUSE / folder / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").split("\n", 1)[0]
