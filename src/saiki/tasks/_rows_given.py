"""What streams share: the ids and values of the rows that they are given one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from saiki.errors import DataError, near_misses
from saiki.readers import BETWEEN


def known_by(id: Any, name: str | None) -> str | None:
    """What tells series apart: 7 of a row and "7" of a table are one. DataError for several values in one."""
    if isinstance(id, list | tuple | dict | set):
        raise DataError(f"{name!r} is {id!r}; expected one id, a text or a number")
    if isinstance(id, float) and id.is_integer():  # as rows of frames of numbers have it
        id = int(id)
    return None if id is None else str(id).lower() if isinstance(id, bool) else str(id)


def with_id(row: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """The row with the id that several columns tell together, as tables have it: `store/item`."""
    parts = (name or "").split(BETWEEN)
    if not name or name in row or len(parts) == 1 or any(part not in row for part in parts):
        return row
    each = [known_by(row[part], part) for part in parts]
    return {**row, name: None if None in each else BETWEEN.join(map(str, each))}


def check_values(row: Mapping[str, Any], names: Iterable[str | None]) -> None:
    """DataError for a row without one of these columns, or with several values in one."""
    for name in filter(None, names):
        if name not in row:
            there = f" (it has: {', '.join(map(str, row))})" if row else ""
            raise DataError(f"the row has no {name!r}{near_misses(name, list(map(str, row)))}{there}")
        if isinstance(row[name], list | tuple | dict | set):
            raise DataError(f"{name!r} is {row[name]!r}; expected one value")
