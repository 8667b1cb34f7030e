"""From data and options to a trained model: what `saiki.train` does, and the command behind it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError

from saiki import catalog, metrics
from saiki.cells import Cell, cell_class, use
from saiki.errors import DataError, OptionError, TrainingError, near_misses, refused
from saiki.model import Model, check_free, load
from saiki.network import closed_form
from saiki.network.options import Network
from saiki.storage import clear, exclusive, named
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._task import ROLES, Task, preferring
from saiki.training.checkpoint import stopped
from saiki.training.curve import CurveFile, TensorBoard
from saiki.training.loop import Hook
from saiki.training.members import finished, fit_members, members, rate_of, record, steps_of
from saiki.training.options import Training


def split_options(task: str, given: dict[str, Any]) -> tuple[BaseModel, Network, Training]:
    """Option objects and flat names to the options of task, network and training; unknown names with near misses."""
    kinds: list[type[BaseModel]] = [catalog.load("tasks", task).OPTIONS, Network, Training]
    objects = {type(v): v for v in given.values() if isinstance(v, tuple(kinds))}
    flat = {k: v for k, v in given.items() if not isinstance(v, tuple(kinds))}
    known = {name for kind in kinds for name in kind.model_fields}
    for name in flat:
        if name not in known:
            raise OptionError(f"unknown option {name!r}{near_misses(name, known)} (see saiki train {task} --help)")
    built = []
    for kind in kinds:
        base = objects[kind].model_dump(exclude_unset=True) if kind in objects else {}
        own = {k: v for k, v in flat.items() if k in kind.model_fields and v is not None}
        try:
            built.append(kind(**base, **own) if not base.keys() & own.keys() else kind(**{**base, **own}))
        except ValidationError as error:
            raise refused(error) from None
    return built[0], built[1], built[2]


def train(
    task: str,
    data: Any,
    *,
    source: Sequence[str] | str | None = None,
    target: Sequence[str] | str | None = None,
    id: str | None = None,
    time: str | None = None,
    valid: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    hooks: Sequence[Hook] = (),
    say: Callable[[list[tuple[str, str]]], None] | None = None,
    cells: Sequence[type[Cell]] = (),
    **options: Any,
) -> Model:
    """Train a model.

    Args:
        task: what is asked (`saiki list tasks`).
        data: a path, a pandas, polars or Arrow frame, or an array `[series, time]`.
        source, target, id, time: names of columns: what goes in, what is asked, which sequence a row belongs to and
            when it was; defaults y, unique_id and ds, or as the task says.
        valid: data to validate on instead of a part of `data`.
        out: folder for the model; checkpoints stand beside it until training ends.
        resume: go on from the last checkpoint of an equal call.
        force: replace an existing `out`.
        hooks: told of steps and validations.
        say: given what was understood of the data, before training starts.
        cells: classes of one's own that `cell` may name, e.g. `cell="MyCell", cells=[MyCell]`.
        options: fields of the task's options, `Network` and `Training`, flat by name, or these objects whole.

    Raises:
        OptionError: an unknown option or value. DataError: data that cannot be used.
    """
    use(cells)
    columns = {"source": source, "target": target, "id": id, "time": time}
    return _train(task, data, columns, valid, out, resume, force, hooks, say, options)


def _train(name, data, columns, valid, out, resume, force, hooks, say, given) -> Model:
    began = time.perf_counter()
    options, network_options, training = split_options(name, given)
    asked = network_options.model_fields_set
    working_half: type[Task] = catalog.load("tasks", name).load_task()
    _check_columns(name, working_half, columns)
    if training.bptt is not None and not working_half.cuts:
        raise OptionError(f"--bptt has no meaning for {name}, which learns from whole sequences; leave it out")
    for cell in network_options.cells:
        cell_class(cell)
    if training.threads:
        torch.set_num_threads(training.threads)
    out = named(out) if out is not None else None
    if training.tensorboard and out is None:
        raise OptionError("tensorboard: its files stand beside the model, and no out was given; give out=FOLDER too")
    folder = out.with_name(f"{out.name}.training") if out is not None else None
    goes_on = resume and folder is not None and folder.exists()
    if out is not None and not goes_on and not resume:
        check_free(out, force)
    if valid is not None:
        options = working_half.validated_apart(options)
    base = load(start) if (start := getattr(options, "from_", None)) else None
    if base is None:
        task = working_half.fit(options, data, columns)
    else:
        task, network_options = working_half.fit_from(options, data, columns, base), _as(base, network_options)
    task.asked(network_options, training)
    closed = task.closed_form and network_options.closed_form
    preferred = task.network_defaults() | (closed_form.DEFAULTS if closed else {})
    network_options = preferring(network_options, preferred)
    closed_form.check(network_options, task.closed_form)
    _check_used(asked, network_options, options)
    training = preferring(training, task.training_defaults())
    model = _fresh(name, task, network_options, training)
    if base is not None:
        model.network.load_state_dict(base.network.state_dict())
    if valid is not None:
        model.data["valid"] = task.fingerprint(valid)
    if say:
        say(model.understood)
    if resume and not goes_on and out is not None and out.exists():
        return _finished(out, model)
    with exclusive(folder):
        try:
            return _run(model, base, valid, out, folder, goes_on, resume, force, hooks, began)
        except TrainingError:  # its checkpoints lead nowhere
            if folder is not None:
                clear(folder)
            raise


def _as(base: Model, given: Network) -> Network:
    """The network of the model that training goes on from; another shape cannot be asked for."""
    for name in given.model_fields_set - {"dropout", "locked", "zoneout", "state_dropout", "weight_drop"}:
        if getattr(given, name) != getattr(base.network_options, name):
            raise OptionError(
                f"{name} {getattr(given, name)} is not that of the model to go on from, {getattr(base.network_options, name)}; "
                f"leave --{name.replace('_', '-')} out"
            )
    return base.network_options.model_copy(update=given.model_dump(exclude_unset=True))


def _check_used(asked: set[str], network: Network, options: BaseModel) -> None:
    """OptionError for an option of the network that was asked for and, beside the others, changes nothing."""
    drops = network.dropout or getattr(options, "output_dropout", None)
    checks = (
        (
            "lookback",
            network.attention == "causal",
            "tells how far attention causal looks back; give --attention causal too",
        ),
        ("merge", network.bidirectional, "tells how two directions become one; give --bidirectional too"),
        ("locked", bool(drops) or not network.locked, "is for dropout, and there is none here; give --dropout too"),
    )
    for name, used, told in checks:
        if name in asked and not used:
            raise OptionError(f"{name} {told}, or leave --{name} out")


def _check_columns(name: str, task: type[Task], columns: dict[str, Any]) -> None:
    """Names of columns must be text, and of a role that the task has."""
    for role in ROLES:
        given = columns[role]
        if given is not None and role not in task.takes:
            takes = ", ".join(f"--{r}" for r in task.takes)
            raise OptionError(f"--{role} has no meaning for {name}, which takes {takes or 'no names of columns'}")
        names = given if role in ("source", "target") and isinstance(given, list | tuple) else [given]
        if any(n is not None and not isinstance(n, str) for n in names):
            raise OptionError(f"{role}: got {given!r}; expected the name of a column")


def _run(model, base, valid, out, folder, goes_on, resume, force, hooks, began) -> Model:
    """Train, and save where `out` says; `folder` holds the checkpoints meanwhile."""
    task, training = model.task, model.training_options
    if folder is not None and not goes_on:
        if not force and (step := stopped(folder)):
            raise DataError(
                f"{folder} holds a run that was stopped after step {step:,}; --resume goes on with it, --force begins anew"
            )
        clear(folder)
    refit = task.refits if training.refit is None else training.refit
    given = {"resume": resume, "identity": _identity(model), "began": began, "share": 0.5 if refit else 1.0}
    recorders = [*hooks, *_recorders(out, folder, training)]
    problem = task.problem(training.batch, valid)
    found = fit_members(model.network, problem, training, folder=_part(folder, "search"), hooks=recorders, **given)
    model.interrupted = not finished(model.network, found)
    model.run = record(found[: len(members(model.network))])
    task, network = task.trained(model.network)
    model.task, model.network = task, network
    model.validation = _validated(model, model.network, valid)
    if base is not None and task.guarded:
        _keep_better(model, base, valid)
    if refit and not model.interrupted and model.run.get("from", {}).get("kept") != "old":
        model.interrupted = not _refit(model, base, _part(folder, "refit"), hooks, given)
    if out is not None and folder is not None:
        model.save(out, force=force or resume)
        if not model.interrupted:
            shutil.rmtree(folder, ignore_errors=True)
    return model


def _validated(model: Model, network: torch.nn.Module, valid: Any) -> Evaluation | None:
    """Settle and score a network; the task is left as it was settled last."""
    model.task.settle(network, valid)
    return model.task.validation(network, valid)


def _keep_better(model: Model, base: Model, valid: Any) -> None:
    """Take the weights that training went on from where they score better on what was held out; the outcome is recorded."""
    new, old = model.validation, _validated(model, base.network, valid)
    if new is None or old is None:
        says = "nothing was held out, so nothing says whether the model got better"
        model.run["from"] = {"kept": "new", "says": says}
        return
    kept = "old" if old.better_than(new) else "new"
    (metric, before), (_, after) = old.score(), new.score()
    what = "the old weights are kept: training made them worse" if kept == "old" else "the new weights are kept"
    says = (
        f"{metrics.label(metric)} on what is held out: {before:.4f} before training went on, {after:.4f} after; {what}"
    )
    model.run["from"] = {"metric": metric, "before": before, "after": after, "kept": kept, "says": says}
    if kept == "old":
        model.network.load_state_dict(base.network.state_dict())
        model.validation = old
    else:
        model.task.settle(model.network, valid)


def _refit(model: Model, base: Model | None, folder: Path | None, hooks: Sequence[Hook], given: dict[str, Any]) -> bool:
    """Train anew, or from `base`, on all data, validation included, for as many steps; False if that was interrupted.

    The scores of validation stay those of the network that had not seen it.
    """
    task, training = model.task, model.training_options
    network = task.network(model.network_options, model.width, training.seed)
    if base is not None:
        network.load_state_dict(base.network.state_dict())
    found = fit_members(
        network,
        task.problem(training.batch, whole=True),
        training,
        folder=folder,
        hooks=hooks,
        steps=steps_of(model.run),
        rate=rate_of(model.run),
        label="once more, on all data",
        **given,
    )
    model.run["seconds"] += sum(progress.seconds for progress in found)
    if not finished(network, found):
        return False
    task.settle(network, searched=model.network)
    model.network = network
    model.run["refit"] = found[0].step
    return True


def _part(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name


def _fresh(name: str, task: Task, network_options: Network, training: Training) -> Model:
    """A model with new weights."""
    width = network_options.width or task.default_width
    facts = {"fingerprint": task.fingerprint(), "summary": [list(pair) for pair in task.describe()]}
    network = task.network(network_options, width, training.seed)
    return Model(name, task, network_options, training, network, width, data=facts)


def _recorders(out: Path | None, folder: Path | None, training: Training) -> list[Hook]:
    if out is None or folder is None:
        return []
    return [
        CurveFile(folder),
        *([TensorBoard(out.with_name(f"{out.name}.tensorboard"))] if training.tensorboard else []),
    ]


def _finished(out: Path, model: Model) -> Model:
    """What `resume` finds when there is nothing left to do: the finished model of the same run."""
    found = load(out)
    for key, value in _identity(model).items():
        if key != "threads" and _identity(found).get(key) != value:
            raise DataError(f"{out} is a finished model of another run ({key} differs); use --force to train anew")
    return found


def _identity(model: Model) -> dict[str, Any]:
    """What makes a run what it is, flat: data, options and threads."""
    config = json.loads(json.dumps(model.config))
    parts = {f"{part}.{k}": v for part in ("options", "network", "training") for k, v in config[part].items()}
    return {
        "data": model.data["fingerprint"],
        "valid": model.data.get("valid"),
        "task": model.name,
        **parts,
        "threads": torch.get_num_threads(),
    }
