"""The errors a user can cause: one line each, saying what, what was got, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

#: characters of what was got that are told
LONGEST = 120


class SaikiError(Exception):
    """Base of every error that a user can cause; the command line prints it as one line and ends with exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class DataError(SaikiError, ValueError):
    """The data cannot be used as asked: a missing file or column, infinite values, duplicated times, …"""


class OptionError(SaikiError, ValueError):
    """An option has a name or a value that has no meaning."""


class SaikiWarning(UserWarning):
    """What a user should know of an answer that came all the same; the command line prints it as a note."""


class ModelError(SaikiError):
    """A saved model is damaged, incomplete, of a newer format, or cannot do what is asked of it."""


class TrainingError(SaikiError):
    """Training did not lead to a model: its loss is not a number any more."""


class MissingExtraError(SaikiError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package}: pip install 'saiki[{extra}]'")


def refused(error: Any) -> OptionError:
    """One line for the first option that a pydantic model refuses; `error` is its ValidationError."""
    first = error.errors()[0]
    says, name = first["msg"].removeprefix("Value error, "), ".".join(map(str, first["loc"]))
    if not name:  # of several options together, which the sentence names
        return OptionError(says)
    told = repr(first["input"])
    got = "" if first["type"] == "missing" else f" (got {told if len(told) <= LONGEST else told[:LONGEST] + '…'})"
    return OptionError(f"option {name}: {says}{got}")


def near_misses(name: str, choices: Iterable[str]) -> str:
    """`; did you mean 'a' or 'b'?` for close names, else the empty string."""
    matches = difflib.get_close_matches(name.lower(), list(choices), n=3, cutoff=0.6)
    if not matches:
        by_lower = {choice.lower(): choice for choice in choices}
        matches = [by_lower[m] for m in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)]
    return f"; did you mean {' or '.join(repr(m) for m in matches)}?" if matches else ""
