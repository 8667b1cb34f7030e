"""A record: one item of a data set, as named fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: the field that tells series apart where nothing else is told
ID = "unique_id"


@dataclass(frozen=True)
class Record(Mapping[str, Any]):
    """One item of a data set: named fields (a series; a recording and its transcript; …).

    `origin` says where it came from (`file.csv, line 12`), for error messages. A record is read-only.
    """

    fields: Mapping[str, Any]
    origin: str = field(default="", compare=False)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)
