"""Train a model on a file and compare it with the baselines.

What DATA is depends on the task: saiki train TASK --help says it, and lists the task's own options, here left out.

Options that take lists take them after a space, up to the next option: --target A B --level 80 95.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from saiki import catalog
from saiki.cli._console import Console, table

TRAINED, INTERRUPTED = 0, 130


def command(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What is asked (saiki list tasks).")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The training data.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the model [DATA's name].saiki.", show_default=False)
    ] = None,
    valid: Annotated[Path | None, typer.Option(help="Data to validate on, instead of a part of DATA.")] = None,
    source: Annotated[list[str] | None, typer.Option(metavar="COLUMN…", help="Columns that go in.")] = None,
    target: Annotated[list[str] | None, typer.Option(metavar="COLUMN…", help="Columns that are asked for [y].")] = None,
    id: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column that names the series [unique_id].")] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of times [ds].")] = None,
    config: Annotated[Path | None, typer.Option(help="JSON or TOML file of options; the command line wins.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a stopped run of the same command was.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing model.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    **flat: Any,
) -> int:
    from saiki.cli import _options, _progress

    own = {"out": out, "valid": valid, "source": source, "target": target, "id": id, "time": time}
    known = [*own, *(name for model in _models(task) for name in model.model_fields)]
    options = _options.from_file(config, known) | _options.given(own | flat)
    folder = Path(options.pop("out", None) or f"{_stem(data)}.saiki")
    console = Console(quiet, json)
    import saiki

    with _progress.shown(console) as hooks:
        options |= {"out": folder, "resume": resume, "force": force, "hooks": hooks, "say": console.pairs}
        model = saiki.train(task, data, **options)
    _report(console, model, folder, data)
    return INTERRUPTED if model.interrupted else TRAINED


def _stem(data: Path) -> str:
    """The name of a file without what says how it is read: `sales.2024.csv.gz` is sales.2024."""
    from saiki.readers import suffixes

    known = sorted(suffixes(), key=len, reverse=True)
    suffix = next((suffix for suffix in known if data.name.lower().endswith(suffix)), "")
    return data.name[: len(data.name) - len(suffix)] or "model"


def _models(task: str) -> list[Any]:
    from saiki.network.options import Network
    from saiki.training.options import Training

    return [catalog.load("tasks", task).OPTIONS, Network, Training]


def generate(argv: Sequence[str]) -> Callable[..., int]:
    """`command` with the options of the task in `argv`, or of all tasks, instead of `**flat`."""
    from saiki.cli import _options

    tasks = catalog.names("tasks")
    chosen = next(([word] for word in argv if word in tasks), tasks)
    models = list(dict.fromkeys(model for task in chosen for model in _models(task)))
    text, prefers = __doc__, {name: "by the task" for task in tasks for name in catalog.load("tasks", task).PREFERS}
    if len(chosen) == 1:
        asked = catalog.load("tasks", chosen[0])
        text, prefers = _of_task(chosen[0], asked.DATA), asked.PREFERS
    elif {"--help", "-h"} & set(argv):  # where a task is misspelt, the options of all are known all the same
        models = _models(tasks[0])[1:]
    fixed = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "flat"]

    def train(**values: Any) -> int:
        return command(**values)

    train.__signature__ = inspect.Signature([*fixed, *_options.parameters(models, prefers)])  # type: ignore[attr-defined]
    train.__doc__ = text
    return train


def _of_task(task: str, data: str) -> str:
    """What help says above the options of a task."""
    first, *_, last = str(__doc__).strip().split("\n\n")  # one and the same where Python leaves docstrings out
    return f"{first}\n\n{catalog.summary('tasks', task)}\n\nDATA is {data}\n\n{last}"


def _report(console: Console, model: Any, folder: Path, data: Path) -> None:
    from saiki.reporting.scores import rows

    found = model.validation
    facts = {"model": str(folder), "interrupted": model.interrupted, "data": model.data, "run": model.run}
    lines: list[str] = []
    if found:
        facts |= {"validation": found.to_json(), "beats_baselines": found.beats_baselines, "sentence": found.sentence()}
        lines += ["", f"Scores on {found.about}:", *table(rows(found.scores), "saiki")]
        lines += [*(f"note: {note}" for note in found.notes), "", found.sentence()]
    if "from" in model.run:
        lines += ["", f"{model.run['from']['says']}."]
    if model.interrupted:
        lines += ["", f"Interrupted: {folder} holds the best so far; the same command with --resume goes on."]
    advice = model.task.next_commands(folder, data)
    console.answer([*lines, "", f"Saved {folder}. Next:", *(f"  {line}" for line in advice)], facts)
