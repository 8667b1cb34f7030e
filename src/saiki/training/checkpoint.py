"""Checkpoints: tensors as safetensors, the rest as JSON, written beside and renamed. Data, never code."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from saiki.errors import DataError, ModelError
from saiki.storage import reason, sync
from saiki.training.bptt import Carry


@dataclass
class Progress:
    """Where a run stands: all that is not a tensor. `steps` is stored, so that a run is deterministic; only where it
    would overrun a budget in minutes is it shortened."""

    steps: int
    step: int = 0
    best_score: float = float("inf")
    best_step: int = 0
    waited: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    done: bool = False
    label: str = "training"  # what the run is, for whoever watches
    planned: float = 0.0  # seconds that the steps were thought to take; 0 where their number was given
    validating: float = 0.0  # of these, those of all validations
    budget: float = 0.0  # seconds that the steps may take; 0 where no minutes were given
    most: int = 0  # steps that were planned, of which `steps` are left where the budget would be overrun
    rate: float = 1.0  # share of the learning rate asked for, halved by every mending
    best_rate: float = 1.0  # that of the best step
    mends: int = 0  # how often the run went back to its best weights
    curve: list[dict[str, float]] = field(default_factory=list)

    @property
    def expected(self) -> float:
        """Seconds that were planned for the steps taken so far."""
        return self.planned * self.step / self.steps


@dataclass
class Run:
    """Everything that changes while a network is trained."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    progress: Progress
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    carry: Carry | None = None  # states between two cuts of long sequences
    whole: bool = True  # no step or validation is half done

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the run under flat names."""
        named = {f"network/{k}": v for k, v in self.network.state_dict().items()}
        named |= {f"average/{k}": v for k, v in self.average.items()}
        named |= {f"best/{k}": v for k, v in self.best.items()}
        named |= {f"carry/{k}": v for k, v in self.carry.tensors().items()} if self.carry else {}
        for number, state in self.optimizer.state_dict()["state"].items():
            named |= {f"optimizer/{number}/{k}": v for k, v in state.items()}
        # safetensors refuses tensors that share memory: `best` may be the very weights
        return {k: v.detach().clone().contiguous() for k, v in named.items()}

    def restore(self, tensors: dict[str, Tensor], progress: Progress) -> None:
        """Back to where a checkpoint was written, bit for bit."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(part("network/"))
        device = next(self.network.parameters()).device
        self.average, self.best = {k: v.to(device) for k, v in part("average/").items()}, part("best/")
        if self.carry:
            self.carry.restore({k: v.to(device) for k, v in part("carry/").items()})
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in part("optimizer/").items():
            number, name = key.split("/", 1)
            states.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": states})
        self.progress = progress


def write(folder: Path, run: Run, identity: dict[str, Any]) -> None:
    """Write a checkpoint into `folder`, complete or not at all; older ones are removed afterwards."""
    target = folder / f"step-{run.progress.step:09d}"
    part = folder / f"{target.name}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        save_file(run.tensors(), part / "tensors.safetensors")
        text = json.dumps({"identity": identity, "progress": asdict(run.progress)})
        (part / "progress.json").write_text(text, encoding="utf-8")
        sync(part)
        if target.exists():  # moved aside, so that there is a whole one at any moment
            aside = folder / f"{target.name}.old"
            shutil.rmtree(aside, ignore_errors=True)
            target.rename(aside)
        part.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise DataError(f"cannot write the checkpoint {target}: {reason(error)}; make room and use --resume") from error
    for old in folder.glob("step-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


def newest(folder: Path) -> Path | None:
    """The newest complete checkpoint in `folder`, if there is one."""
    return max((p for p in folder.glob("step-*") if not p.name.endswith(".part")), default=None)


def stopped(folder: Path) -> int:
    """The step of the furthest complete checkpoint in `folder` or below; 0 where there is none, or only beginnings."""
    found = (path.name.removeprefix("step-") for path in folder.rglob("step-*"))
    return max((int(step) for step in found if step.isdigit()), default=0)


def read(path: Path, identity: dict[str, Any]) -> tuple[dict[str, Tensor], Progress]:
    """Read a checkpoint; one of another run (other data, other options) is an error that names the difference."""
    try:
        stored = json.loads((path / "progress.json").read_text(encoding="utf-8"))
        tensors = load_file(path / "tensors.safetensors")
        progress, written = Progress(**stored["progress"]), stored["identity"]
    except Exception as error:
        raise ModelError(f"the checkpoint {path} cannot be read ({error}); remove it and train anew") from error
    # what others are derived from first: a run on more threads may choose another width
    for key in sorted(identity.keys() | written.keys(), key=lambda key: (key != "threads", key)):
        if identity.get(key) != written.get(key):
            raise ModelError(
                f"cannot resume from {path}: {key} was {written.get(key)!r}, now {identity.get(key)!r}; "
                "give the same data and options as before, or --force to train anew"
            )
    return tensors, progress
