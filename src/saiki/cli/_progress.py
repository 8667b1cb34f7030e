"""Progress of training: a bar with the time left on a terminal, some twenty plain lines without one."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saiki.cli._console import Console
    from saiki.training.checkpoint import Progress

#: plain lines at most, whatever the number of validations
LINES = 20
#: a run that takes less than this share of the time it was planned for says so
QUICK = 0.6


@contextlib.contextmanager
def shown(console: Console) -> Iterator[list[Any]]:
    """The hooks that show progress, none if quiet; the terminal is left in order whatever happens."""
    if console.quiet or not sys.stderr.isatty():
        yield [] if console.quiet else [Lines(console)]
        return
    bar = Bar()
    try:
        yield [bar]
    finally:
        bar.display.stop()


def time_left(progress: Progress) -> str:
    """`1:05` left at the present pace."""
    seconds = round(progress.seconds / max(1, progress.step) * (progress.steps - progress.step))
    return f"{seconds // 60}:{seconds % 60:02d}"


def _score(row: dict[str, float], progress: Progress) -> str:
    """The validation score, and the naive one's where the task tells it."""
    if math.isnan(row["score"]):
        return "nothing held out"
    text = f"score {row['score']:.4f}"
    if "baseline" in row:
        text += f" (baseline {row['baseline']:.4f})"
    if "mended" in row:
        return f"{text} torn: back to step {progress.best_step} with {row['mended']:g} of the learning rate"
    return text + (" best so far" if progress.best_step == progress.step else "")


def quicker(progress: Progress) -> str:
    """That a budget in minutes was not used, because the machine was busy while its steps were timed; else nothing."""
    if progress.seconds >= QUICK * progress.expected:
        return ""
    return (
        f"{progress.label}: {progress.seconds:.0f} s for {progress.step} steps that were planned to take "
        f"{progress.expected:.0f} s; the machine was busy when steps were timed. For a longer run give --steps, or train again"
    )


class Lines:
    """Plain lines for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console, self.last, self.lines = console, 0, 0

    def started(self, progress: Progress) -> None:
        again = f", resumed at {progress.step}" if progress.step else ""
        self.console.say(f"{progress.label}: {progress.steps} steps{again}")
        self.last = progress.step
        self.lines = 4 if self.lines else LINES  # later runs are the first one again

    def stepped(self, progress: Progress, loss: float) -> None:
        """Nothing: a step is too small for a line."""

    def validated(self, progress: Progress, row: dict[str, float]) -> None:
        if progress.step - self.last < progress.steps // self.lines and progress.step < progress.steps:
            return
        self.last = progress.step
        place = f"{progress.step:>{len(str(progress.steps))}}/{progress.steps}"
        self.console.say(f"  {place}  loss {row['loss']:.4f}  {_score(row, progress)}  left {time_left(progress)}")

    def ended(self, progress: Progress) -> None:
        best = "" if math.isnan(progress.best_score) else f", best at step {progress.best_step}"
        self.console.say(f"trained: {progress.step} steps in {progress.seconds:.1f} s{best}")
        if note := quicker(progress):
            self.console.say(f"note: {note}")


class Bar:
    """A bar for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console as Screen
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Display

        columns = (
            "[progress.description]{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[news]}"),
        )
        self.display = Display(*columns, console=Screen(stderr=True))
        self.row = ""

    def started(self, progress: Progress) -> None:
        self.task = self.display.add_task(progress.label, total=progress.steps, completed=progress.step, news="")
        self.display.start()

    def stepped(self, progress: Progress, loss: float) -> None:
        self.display.update(self.task, completed=progress.step, news=f"{self.row}left {time_left(progress)}")

    def validated(self, progress: Progress, row: dict[str, float]) -> None:
        self.row = f"loss {row['loss']:.4f}  {_score(row, progress)}  "

    def ended(self, progress: Progress) -> None:
        self.display.stop()
        if note := quicker(progress):
            self.display.console.print(f"note: {note}")
