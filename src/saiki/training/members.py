"""Networks of an ensemble, trained one after the other, each from a seed of its own, under one budget."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from saiki.network.ensemble import Ensemble
from saiki.training.checkpoint import Progress
from saiki.training.loop import Problem, fit
from saiki.training.options import Training

#: what a saved model keeps of a run
KEPT = ("steps", "step", "best_step", "seconds", "planned", "best_rate", "curve")
#: a run whose best state lies within this share of it is tried again for a shorter time, with this share of the learning rate
EARLY, SMALLER = 0.3, 0.25


def members(network: nn.Module) -> list[nn.Module]:
    """The networks that are trained apart: those of an ensemble, else the network itself."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


def fit_members(
    network: nn.Module,
    problem: Problem,
    options: Training,
    *,
    folder: Path | None = None,
    share: float = 1.0,
    steps: Sequence[int] = (),
    rate: float = 1.0,
    label: str = "training",
    **given: Any,
) -> list[Progress]:
    """Train `network` in place, as `fit` does; one `Progress` per member that was begun.

    Of a budget in minutes every member has the same part: the first one is timed, the others run for as many steps. `steps`
    overrides that, a number per member, `rate` being the share of the learning rate. Member n trains from seed + n; its checkpoints
    stand in a folder of their own, so a stopped run goes on in the member where it was. A member that a stop left without a
    validated state is the first one's copy.
    """
    every, found = members(network), []
    for number, member in enumerate(every):
        alone = len(every) == 1
        own = options if alone else options.model_copy(update={"seed": (options.seed + number) % 2**63})
        place = folder if alone or folder is None else folder / f"member-{number}"
        how = {
            "share": share / len(every),
            "label": label if alone else f"{label}, network {number + 1} of {len(every)}",
        } | given
        if steps or found:
            known = {"steps": steps[number] if steps else found[0].steps, "rate": found[0].best_rate if found else rate}
            found.append(fit(member, problem, own, folder=place, **known, **how))
        else:
            found.append(_briefly(member, problem, own, place, how))
        if not found[-1].done:
            begun = number + 1 if found[-1].best_step else number
            for rest in every[max(begun, 1) :]:
                rest.load_state_dict(every[0].state_dict())
                rest.eval()
            break
    return found


def _briefly(
    network: nn.Module, problem: Problem, options: Training, folder: Path | None, how: dict[str, Any]
) -> Progress:
    """`fit`, and where it stopped because the network had learned its data by heart early, once more from the start: for twice as
    long as it got better, in what is left of the planned steps, in smaller ones. The better of the two is kept.

    At a high learning rate the best of a long run is a state that is not yet settled; a schedule that ends there settles it.
    """
    fresh = deepcopy(network) if getattr(problem, "brief", False) and options.seconds else None
    place = folder if fresh is None else folder and folder / "long"
    first = fit(network, problem, options, folder=place, **how)
    steps = min(2 * first.best_step, first.steps - first.step)
    early = 0 < first.best_step <= EARLY * first.steps and first.waited >= options.patience
    if fresh is None or not first.done or not early or steps < first.best_step:
        return first
    how = how | {"share": how["share"] * steps / first.steps, "label": f"{how['label']}, briefly"}
    second = fit(fresh, problem, options, folder=folder and folder / "brief", steps=steps, rate=SMALLER, **how)
    better = second.best_score < first.best_score
    if better:
        network.load_state_dict(fresh.state_dict())
    kept = second if better else first
    kept.seconds, kept.done = first.seconds + second.seconds, second.done
    return kept


def finished(network: nn.Module, found: Sequence[Progress]) -> bool:
    """Whether every member was trained to its end."""
    return len(found) == len(members(network)) and found[-1].done


def record(found: Sequence[Progress]) -> dict[str, Any]:
    """What a saved model keeps: steps and curve of the first network, the time of all; of several, their steps too."""
    first = {name: getattr(found[0], name) for name in KEPT} | {"seconds": sum(p.seconds for p in found)}
    if len(found) == 1:
        return first
    short = ("step", "best_step", "seconds")
    return first | {"members": [{k: v for k, v in asdict(p).items() if k in short} for p in found]}


def steps_of(run: dict[str, Any]) -> list[int]:
    """The steps that each network of a recorded run was trained for."""
    return [each["step"] for each in run.get("members", [run])]


def rate_of(run: dict[str, Any]) -> float:
    """The share of the learning rate that a recorded run had at its best step."""
    return run.get("best_rate", 1.0)
