"""Write the generated tables of the documentation, or with --check say which are out of date.

python docs/tables.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from _cells import cells

from saiki import catalog
from saiki.cli._options import default_of, flag, kind_of
from saiki.network.options import Network
from saiki.training.options import Training

TABLES = Path(__file__).parent / "tables"
NOTE = "<!-- Written by docs/tables.py: change the source, then run it. -->\n"


def options() -> str:
    """Every option of `saiki train`, from the option models."""
    lines = [NOTE, "# Options of `saiki train`\n"]
    lines += [
        "In Python the same names with underscores: `saiki.train(..., learning_rate=0.001)`; `--from` is `from_`. The"
    ]
    lines += ["defaults of network and training stand at the end; every task has some of its own, below its options.\n"]
    models = [(f"Task {name}", catalog.load("tasks", name).OPTIONS) for name in catalog.names("tasks")]
    prefers = {f"Task {name}": catalog.load("tasks", name).PREFERS for name in catalog.names("tasks")}
    for title, model in [*models, ("Network", Network), ("Training", Training)]:
        lines += [f"## {title}\n", "| option | value | default | meaning |", "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            value = kind_of(field.annotation)[1].replace("|", " \\| ") or "yes or no"
            default = default_of(field).strip("[]") or "–"
            lines.append(f"| `{flag(name)}` | {value} | {default} | {field.description} |")
        lines.append("")
        if title.startswith("Task "):
            lines += ["Of network and training it prefers:\n", "| option | default |", "|---|---|"]
            lines += [f"| `{flag(name)}` | {text} |" for name, text in prefers[title].items()]
            lines.append("")
    return "\n".join(lines)


def choices() -> str:
    """Every choice of every folder, from the first line of its file."""
    lines = [NOTE, "# What there is to choose from\n", "The same as `saiki list`. A file in the folder is a choice.\n"]
    for folder in catalog.FOLDERS:
        lines += [f"## {folder}\n", "| name | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(catalog.summary(folder, name))} |" for name in catalog.names(folder)]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def pages() -> dict[str, str]:
    """Every generated page, by its path from `docs/tables`."""
    return {"options.md": options(), "choices.md": choices(), "../cells.md": NOTE + "\n" + cells()}


def main() -> int:
    stale = []
    for name, text in pages().items():
        path = TABLES / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            TABLES.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run: python docs/tables.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
