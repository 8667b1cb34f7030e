"""The learning curve on disk, written while training goes on."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from saiki.errors import MissingExtraError
from saiki.training.checkpoint import Progress

COLUMNS = ("step", "loss", "score")


def write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    """One line per validation: step, mean training loss since the line before, validation score (empty without one)."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        lines.writerows([row[c] if row[c] == row[c] else "" for c in COLUMNS] for row in curve)


class CurveFile:
    """Keeps `curve.csv` up to date, whole even when a run was resumed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "curve.csv"

    def started(self, progress: Progress) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_curve(self.path, progress.curve)

    def stepped(self, progress: Progress, loss: float) -> None: ...

    def validated(self, progress: Progress, row: dict[str, float]) -> None:
        write_curve(self.path, progress.curve)

    def ended(self, progress: Progress) -> None: ...


class TensorBoard:
    """The same curve for TensorBoard, a run in a folder of its own for every network."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "tensorboard", "--tensorboard") from error
        self.folder, self.kind = folder, SummaryWriter
        self.writer: Any = None

    def started(self, progress: Progress) -> None:
        run = self.folder / re.sub(r"\W+", "-", progress.label)
        # a run that was resumed writes some steps again
        self.writer = self.kind(str(run), purge_step=progress.step + 1)

    def stepped(self, progress: Progress, loss: float) -> None: ...

    def validated(self, progress: Progress, row: dict[str, float]) -> None:
        for name in ("loss", "score"):
            self.writer.add_scalar(name, row[name], int(row["step"]))

    def ended(self, progress: Progress) -> None:
        self.writer.close()
