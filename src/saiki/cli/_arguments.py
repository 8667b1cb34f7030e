"""Options that take several values after a space: `--target A B C`."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def expand(argv: Sequence[str], lists: Collection[str]) -> list[str]:
    """`--target A B` → `--target A --target B` for options in `lists`; a list ends at the next option or at `--`."""
    expanded: list[str] = []
    current, values = None, 0
    for place, word in enumerate(argv):
        if word == "--":
            return expanded + list(argv[place:])
        if _is_option(word):
            current, values = (word if word in lists else None), 0
        elif current:
            values += 1
            if values > 1:
                expanded.append(current)
        expanded.append(word)
    return expanded


def _is_option(word: str) -> bool:
    """A dash begins an option, unless it begins a negative number or stands alone."""
    if not word.startswith("-") or word == "-":
        return False
    try:
        float(word)
    except ValueError:
        return True
    return False
