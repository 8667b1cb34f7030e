"""Networks of an ensemble, trained one after the other, each from a seed of its own, under one budget.

How many there are is asked for, or, where a problem leaves it open (`spare`), what the minutes allow beyond the first one.
"""

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
#: networks at most that are begun unasked
MOST = 5
#: share of the time left after the first network that others may be planned to take
PLANNED = 0.9
#: a run that took so many times what was planned tells how long others take
SLOWER = 1.3


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

    Where the problem is `spare`, the first member has the whole budget; as many others follow as what it leaves is enough for, and
    the rest are taken out of the ensemble. Their number comes from the plan, and from the clock only where the
    first one took clearly longer than planned.
    """
    every, found = members(network), []
    alone = len(every) == 1
    spare = isinstance(network, Ensemble) and not steps and getattr(problem, "spare", False)
    part = share if spare else share / len(every)
    number = 0
    while number < len(every):
        own = options.model_copy(update={"seed": (options.seed + number) % 2**63})
        place = folder if alone or folder is None else folder / f"member-{number}"
        plain = alone or (spare and not number)
        how = {"share": part, "label": label if plain else f"{label}, network {number + 1} of {len(every)}"} | given
        if steps or found:
            asked = steps[min(number, len(steps) - 1)] if steps else found[0].steps
            known = {"steps": asked, "rate": found[0].best_rate if found else rate}
            found.append(fit(every[number], problem, own, folder=place, **known, **how))
        else:
            progress, spent, budget = _briefly(every[number], problem, own, place, how)
            found.append(progress)
            if spare:
                count = 1 + (_more(progress, spent, budget) if progress.done else 0)
                every = _only(network, count)
                if count > 1:
                    part = (share - progress.seconds / (options.seconds or 1.0)) / (count - 1)
        number += 1
        if not found[-1].done:
            begun = number if found[-1].best_step else number - 1
            if spare:
                _only(network, max(begun, 1))
                break
            for rest in every[max(begun, 1) :]:
                rest.load_state_dict(every[0].state_dict())
                rest.eval()
            break
    return found


def _more(first: Progress, spent: float, budget: float) -> int:
    """Further networks, each as long as the first one was planned to be, in what that leaves of the seconds; none where nothing was
    planned. `spent` are the seconds that were planned for what has run; where it took clearly longer, so will the others."""
    if not first.planned or spent <= 0:
        return 0
    slower = first.seconds / spent
    slower = slower if slower > SLOWER else 1.0
    return min(MOST - 1, int(PLANNED * max(budget / slower - spent, 0.0) / first.planned))


def _only(network: nn.Module, count: int) -> list[nn.Module]:
    """The ensemble's first members; the others are taken out."""
    assert isinstance(network, Ensemble)
    del network.members[count:]
    return list(network.members)


def _briefly(
    network: nn.Module, problem: Problem, options: Training, folder: Path | None, how: dict[str, Any]
) -> tuple[Progress, float, float]:
    """`fit`, and where it stopped because the network had learned its data by heart early, once more from the start: for twice as
    long as it got better, in what is left of the planned steps, in smaller ones. The better of the two is kept; beside it the
    seconds that were planned for what has run, and those of the whole budget.

    At a high learning rate the best of a long run is a state that is not yet settled; a schedule that ends there settles it.
    """
    fresh = deepcopy(network) if getattr(problem, "brief", False) and options.seconds else None
    place = folder if fresh is None else folder and folder / "long"
    first = fit(network, problem, options, folder=place, **how)
    most = first.most or first.steps
    spent, budget = first.planned * first.step / most, first.budget
    steps = min(2 * first.best_step, first.steps - first.step)
    early = 0 < first.best_step <= EARLY * first.steps and first.waited >= options.patience
    if fresh is None or not first.done or not early or steps < first.best_step:
        return first, spent, budget
    # it is validated as often as the long run
    planned = (first.planned - first.validating) * steps / most + first.validating
    how = how | {"share": planned / (options.seconds or 1.0), "label": f"{how['label']}, briefly"}
    second = fit(fresh, problem, options, folder=folder and folder / "brief", steps=steps, rate=SMALLER, **how)
    second.planned = planned
    better = second.best_score < first.best_score
    if better:
        network.load_state_dict(fresh.state_dict())
    kept = second if better else first
    kept.seconds, kept.done = first.seconds + second.seconds, second.done
    return kept, spent + planned * second.step / steps, budget


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
