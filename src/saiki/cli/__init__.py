"""The command line: one file per command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import saiki
from saiki.cli._arguments import expand
from saiki.errors import OptionError, SaikiError, SaikiWarning, near_misses

#: the folder listing is the list of commands
COMMANDS = tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
#: exit codes: a bug, a user's mistake, Ctrl-C, a closed pipe
BUG, MISTAKE, INTERRUPTED, CLOSED = 1, 2, 130, 141

# Typer exports no base class of its usage errors; BadParameter is one of them.
UsageError: Any = typer.BadParameter.__mro__[1]


def main() -> None:
    """Entry point of the program `saiki`."""
    if "_SAIKI_COMPLETE" in os.environ:
        application(COMMANDS, sys.argv[1:])()
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line; the exit code. Users' mistakes are one line on stderr."""
    debug = "--debug" in argv
    with warnings.catch_warnings():
        warnings.simplefilter("always", SaikiWarning)
        warnings.showwarning = _noted(warnings.showwarning)
        return _run(argv, debug)


def _noted(usual: Any) -> Any:
    """Warnings of saiki as a line on stderr, others as usual."""

    def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
        if issubclass(category, SaikiWarning):
            print(f"note: {message}", file=sys.stderr)
        else:
            usual(message, category, *where, **more)

    return show


def _run(argv: Sequence[str], debug: bool) -> int:
    try:
        code = _dispatch([a for a in argv if a != "--debug"])
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _close_stdout()
        return CLOSED
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED, debug)
    except SaikiError as error:
        return _fail(str(error), MISTAKE, debug)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", MISTAKE, debug)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        advice = "" if debug else "; run the same command with --debug for the traceback and report it"
        return _fail(f"{text} (this is a bug in saiki{advice})", BUG, debug)


def _dispatch(argv: list[str]) -> int:
    name = next((a for a in argv if not a.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise OptionError(f"unknown command {name!r}{near_misses(name, COMMANDS)} (there are: {known})")
    group: Any = typer.main.get_command(application((name,) if name else (), argv))
    command = group.commands[name] if name else group
    lists = {flag for p in command.params if getattr(p, "multiple", False) for flag in p.opts}
    try:
        with group.make_context("saiki", expand(argv, lists) or ["--help"]) as context:
            return group.invoke(context) or 0
    except typer.Exit as stop:
        return stop.exit_code
    except UsageError as error:
        flags = [f for p in command.params for f in (*p.opts, *p.secondary_opts) if f.startswith("--")]
        raise OptionError(_usage(error, name, flags)) from error


def application(generated: Sequence[str | None], argv: Sequence[str]) -> typer.Typer:
    """The program; the options of the commands in `generated` are made from the option models, which takes time."""
    app = typer.Typer(
        rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
    )
    app.callback(invoke_without_command=True, help=saiki.__doc__, epilog=_EPILOG)(_root)
    for name in COMMANDS:
        module = importlib.import_module(f"saiki.cli.{name}")
        function = module.generate(argv) if name in generated and hasattr(module, "generate") else module.command
        app.command(name, help=function.__doc__ or module.__doc__)(function)
    return app


_EPILOG = "Start with `saiki demo`, or `saiki train forecast FILE --horizon N` on a table of your own."


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error (any command).")] = False,
) -> None:
    if version:
        typer.echo(f"saiki {saiki.__version__}")
        raise typer.Exit


def _usage(error: Any, command: str | None, flags: list[str]) -> str:
    """One line for an option or argument that does not fit."""
    unknown = error.option_name if type(error).__name__ == "NoSuchOption" else None
    missing = type(error).__name__ == "MissingParameter"
    line = f"no such option {unknown}{near_misses(unknown, flags)}" if unknown else error.format_message()
    if missing and getattr(error, "param", None) is not None and error.param.param_type_name == "argument":
        line = f"{line.rstrip('.')}; give it before options that take lists"
    return f"{line[:1].lower()}{line[1:].rstrip('.')} (see: saiki {f'{command} ' if command else ''}--help)"


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    with contextlib.suppress(OSError):
        print(f"saiki: {message}", file=sys.stderr)
    return code


def _close_stdout() -> None:
    """The reader of our output has gone: say nothing, not even at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
