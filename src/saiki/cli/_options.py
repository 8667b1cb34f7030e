"""Command-line options from option models: the models are the only place where an option is described."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from saiki.errors import DataError, OptionError, near_misses

_WORDS = {int: "INTEGER", float: "NUMBER", str: "TEXT", bool: ""}


def parameters(models: Iterable[type[BaseModel]], prefers: Mapping[str, str] | None = None) -> list[inspect.Parameter]:
    """One keyword per field, in order; None stands for an option that was not given.

    prefers  what stands in help instead of the default
    """
    fields: dict[str, FieldInfo] = {}
    for model in models:
        fields |= {name: field for name, field in model.model_fields.items() if name not in fields}
    preferred = {name: f"[{text}]" for name, text in (prefers or {}).items()}
    return [_parameter(name, field, preferred.get(name, default_of(field))) for name, field in fields.items()]


def flag(name: str) -> str:
    """`--learning-rate`; `from_` is --from: the word is Python's own."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def _parameter(name: str, field: FieldInfo, default: str) -> inspect.Parameter:
    kind, metavar = kind_of(field.annotation)
    text = f"{field.description or ''} {default}".strip()
    word = flag(name)
    flags = f"{word}/--no-{word.removeprefix('--')}" if kind is bool else word
    option = typer.Option(flags, help=text, metavar=metavar or None, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def default_of(field: FieldInfo) -> str:
    """`[128]`, or nothing where the value is derived."""
    if field.is_required():
        return "[required]"
    default = field.default
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return f"[{' '.join(map(str, default))}]"
    return f"[{('no', 'yes')[default] if isinstance(default, bool) else default}]"


def kind_of(annotation: Any) -> tuple[Any, str]:
    """The type that Typer is told, and the word that help shows. Values are validated by the models, not here."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return kind_of(next(a for a in inner if a is not type(None)))
    if origin is Literal:
        return str, "|".join(map(str, inner))
    if origin in (tuple, list):
        return list[str], f"{kind_of(inner[0])[1]}…"
    return (bool if annotation is bool else str), _WORDS.get(annotation, "TEXT")


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def from_file(path: Path | None, known: Sequence[str]) -> dict[str, Any]:
    """The options of a JSON or TOML file, by the names of the command line, with dashes or underscores."""
    if path is None:
        return {}
    options = {name.replace("-", "_"): value for name, value in _parse(path).items()}
    options = {f"{name}_" if f"{name}_" in known else name: value for name, value in options.items()}
    for name in options:
        if name not in known:
            raise OptionError(f"{path}: unknown option {name!r}{near_misses(name, known)}")
    return options


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    readers = {".json": json.loads, ".toml": tomllib.loads}
    if path.suffix.lower() not in readers:
        raise OptionError(f"{path}: got the suffix {path.suffix!r}; expected a file of options in .json or .toml")
    try:
        options = readers[path.suffix.lower()](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected a file of options") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}; expected {path.suffix[1:].upper()}") from error
    if not isinstance(options, dict):
        raise DataError(f"{path}: got a {type(options).__name__}; expected names and values of options")
    return options
