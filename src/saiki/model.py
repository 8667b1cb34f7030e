"""The saved model: a task fitted to data, a network and its weights; train, save, load, predict, evaluate, stream."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from safetensors.torch import load_file, save_file

import saiki
from saiki import catalog, metrics
from saiki.cells import Cell, cell_class, use
from saiki.errors import DataError, ModelError, OptionError, SaikiError, near_misses
from saiki.network import closed_form
from saiki.network.options import Network
from saiki.storage import clear, exclusive, recover_folder, replacing_folder, sha256
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._task import ROLES, Task, preferring
from saiki.training.curve import CurveFile, TensorBoard, write_curve
from saiki.training.loop import Hook
from saiki.training.members import finished, fit_members, rate_of, record, steps_of
from saiki.training.options import Training

#: version of the folder; a newer one is refused, older ones keep loading
FORMAT = 1
CONFIG, WEIGHTS, CARD, CURVE = "config.json", "model.safetensors", "README.md", "curve.csv"


@dataclass
class Model:
    """A trained model. Made by `saiki.train` or `saiki.load`."""

    name: str  # of the task
    task: Task
    network_options: Network
    training_options: Training
    network: torch.nn.Module
    width: int
    validation: Evaluation | None = None
    data: dict[str, Any] = field(default_factory=dict)  # fingerprint and summary of the training data
    run: dict[str, Any] = field(default_factory=dict)  # steps, seconds, curve of the training run
    interrupted: bool = False

    @property
    def understood(self) -> list[tuple[str, str]]:
        """What was understood of the training data."""
        return [(word, says) for word, says in self.data.get("summary", [])]

    def predict(self, data: Any, **options: Any) -> Any:
        """The answers for `data` (a path, a frame, an array), as a frame of the same library.

        A forecast takes `level`, intervals in percent, whether trained for or not, `samples`, a number of paths, and
        `anomalies`: the rows of `data` with the forecast one step ahead, a score and a flag, instead of what comes after them.
        """
        return self.task.predict(self.network, data, **_taken(self, "predict", options))

    def evaluate(
        self,
        data: Any,
        history: Any = None,
        *,
        windows: int | None = None,
        step: int | None = None,
        refit: int | str = "never",
        **options: Any,
    ) -> Evaluation:
        """Scores beside the baselines'; a forecast takes history and truth in `data`, or the history apart.

        With `windows`, `step` or `refit` the scores are those of `cross_validation`, by step, by cutoff and by series too.
        A forecast takes `baselines`, names of those to compare with, `level`, as `predict` does, for a clinic `grid` (clarke
        or parkes) and `event` (such as below:70), and with `windows` `adaptive`: intervals that learn from cutoff to cutoff,
        in a table beside the calibrated ones.
        """
        if windows is not None or step is not None or refit != "never":
            if history is not None:
                raise OptionError(
                    "got windows and a history apart; expected one of them: windows are cut from the data"
                )
            given = {"windows": windows, "step": step, "refit": refit, "baselines": None, "level": None}
            return self.task.back_test(self.network, data, given | _taken(self, "evaluate", options), self._retrained)
        found = self.task.evaluate(self.network, data, history, **_taken(self, "evaluate", options))
        if history is None and "refit" in self.run and self.task.fingerprint(data) == self.data["fingerprint"]:
            found.notes.append(
                "Training has seen these very data (few are trained once more on everything): "
                "the scores flatter; those of validation, and of data it has not seen, do not."
            )
        return found

    def cross_validation(
        self,
        data: Any,
        windows: int = 1,
        step: int | None = None,
        refit: int | str = "never",
        baselines: Sequence[str] | None = None,
        level: Sequence[float] | None = None,
    ) -> Any:
        """Forecasts from `windows` cutoffs, `step` steps apart, as a frame of the library of `data`, beside the baselines'.

        Columns: id, time, `cutoff` (the last time that was seen), `y`, `saiki`, its intervals, the baselines. refit: never,
        every (train anew at each cutoff, on what lies before it), or a number n: at every n-th. step: default the horizon.
        """
        given = {"windows": windows, "step": step, "refit": refit, "baselines": baselines, "level": level}
        return self.task.back_test(self.network, data, given, self._retrained, frame=True)

    def _retrained(self, data: Any) -> tuple[Task, torch.nn.Module]:
        """The task on other data, and a network trained from the start on all of them, for as many steps as this one."""
        task, training = self.task.on(data), self.training_options
        network = task.network(self.network_options, self.width, training.seed)
        known = {"steps": steps_of(self.run), "rate": rate_of(self.run)}
        fit_members(network, task.problem(training.batch, whole=True), training, **known)
        task.settle(network, searched=self.network)
        return task, network

    def stream(self) -> Any:
        """An object whose `push(row)` gives what `predict` gives for all rows pushed so far."""
        return self.task.stream(self.network)

    def attention(self, data: Any) -> Any:
        """How much each part of what is seen counts for the answers, an array with one row per answer; for plots."""
        return self.task.attention(self.network, data)

    def generate(self, **options: Any) -> Any:
        """New data like the training data; only for tasks that model their own input."""
        return self.task.generate(self.network, **options)

    @property
    def config(self) -> dict[str, Any]:
        """What `config.json` holds, less the checksums."""
        return {
            "format": FORMAT,
            "saiki": saiki.__version__,
            "task": self.name,
            "options": self.task.options.model_dump(mode="json"),
            "network": self.network_options.model_dump(mode="json") | {"width": self.width},
            "training": self.training_options.model_dump(mode="json"),
            "fitted": self.task.to_json(),
            "data": self.data,
            "run": self.run,
            "validation": self.validation.to_json() if self.validation else None,
        }

    def facts(self) -> list[tuple[str, str]]:
        """What `saiki inspect` prints."""
        from saiki.card import facts

        return facts(self)

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the folder; an existing one needs `force`, and stays as it was if writing fails."""
        from saiki.card import card

        path = Path(path)
        check_free(path, force)
        with replacing_folder(path) as folder:
            weights = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
            save_file(weights, folder / WEIGHTS)
            config = self.config | {"weights_sha256": sha256(folder / WEIGHTS)}
            if files := self.task.files():
                config["files"] = {name: _write_file(folder, name, data) for name, data in files.items()}
            config["config_sha256"] = _digest(config)
            (folder / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
            (folder / CARD).write_text(card(self), encoding="utf-8")
            write_curve(folder / CURVE, self.run.get("curve", []))


def _taken(model: Model, command: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options given, if the task takes them for this command."""
    known = list(inspect.signature(getattr(model.task, command)).parameters)[2:]
    options = {name: value for name, value in options.items() if value is not None}
    for name in options:
        if name not in known:
            raise OptionError(f"{command} of the task {model.name} has no option {name!r}{near_misses(name, known)}")
    return options


def _write_file(folder: Path, name: str, data: bytes) -> str:
    """Write a file of the task beside the configuration; its checksum."""
    assert Path(name).name == name, f"{name}: a file of a model stands in its folder"
    assert name not in (CONFIG, WEIGHTS, CARD, CURVE), f"{name}: the name is taken"
    (folder / name).write_bytes(data)
    return sha256(folder / name)


def _read_files(path: Path, config: dict[str, Any]) -> dict[str, bytes]:
    """The files of the task; ModelError for one that is missing, damaged or stands elsewhere."""
    for name, checksum in config.get("files", {}).items():
        if Path(name).name != name or not (path / name).exists():
            raise ModelError(f"{path} is incomplete: {name} is missing; copy the whole folder again")
        if sha256(path / name) != checksum:
            raise ModelError(f"{path} is damaged: {name} does not have the checksum in {CONFIG}; copy the folder again")
    return {name: (path / name).read_bytes() for name in config.get("files", {})}


def _digest(config: dict[str, Any]) -> str:
    rest = {k: v for k, v in config.items() if k != "config_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def check_free(path: Path, force: bool) -> None:
    """An existing folder is only replaced with `force`, and only if it is a model."""
    recover_folder(path)
    if not path.exists():
        return
    if not force:
        raise DataError(f"{path} exists already; use --force (force=True) to replace it, or choose another place")
    if not (path / CONFIG).exists() and (not path.is_dir() or any(path.iterdir())):
        raise DataError(f"{path} is not a saved model and will not be replaced; choose another place")


def load(path: str | Path, cells: Sequence[type[Cell]] = ()) -> Model:
    """A saved model; `cells` are classes of one's own that it was trained with.

    Raises ModelError, in one line, for a folder that is damaged, incomplete, of a newer format or of a cell that is not known.
    """
    path = Path(path)
    use(cells)
    recover_folder(path)
    config = _read_config(path)
    if not (path / WEIGHTS).exists():
        raise ModelError(f"{path} is incomplete: {WEIGHTS} is missing; copy the whole folder again")
    if sha256(path / WEIGHTS) != config["weights_sha256"]:
        raise ModelError(f"{path} is damaged: {WEIGHTS} does not have the checksum in {CONFIG}; copy the folder again")
    try:
        return _restored(path, config)
    except SaikiError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
        what = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(
            f"{path} is damaged: {CONFIG} does not fit its model ({what}); copy the folder again"
        ) from error


def _restored(path: Path, config: dict[str, Any]) -> Model:
    module = catalog.load("tasks", config["task"])
    network_options = Network(**config["network"])
    _check_cells(path, network_options)
    files = _read_files(path, config)
    task = module.load_task().restore(module.OPTIONS(**config["options"]), config["fitted"], files)
    width = network_options.width
    assert width is not None
    network = task.network(network_options, width, seed=0)
    network.load_state_dict(load_file(path / WEIGHTS))
    network.eval()
    validation = Evaluation.from_json(config["validation"]) if config["validation"] else None
    training = Training(**config["training"])
    return Model(
        config["task"], task, network_options, training, network, width, validation, config["data"], config["run"]
    )


def _check_cells(path: Path, options: Network) -> None:
    for name in options.cells:
        try:
            cell_class(name)
        except OptionError as error:
            raise ModelError(f"{path}: {error}, as in saiki.load(path, cells=[{name}])") from None


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise ModelError(f"no model at {path}; expected a folder that `saiki train` wrote")
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        version = config["format"]
    except FileNotFoundError:
        raise ModelError(f"{path} is not a saved model: {CONFIG} is missing") from None
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is damaged: {CONFIG} cannot be read ({error}); copy the folder again") from None
    if not isinstance(version, int) or version > FORMAT:
        raise ModelError(f"{path} has format {version!r}, this saiki reads up to {FORMAT}; update saiki")
    if config.get("config_sha256") != _digest(config):
        raise ModelError(f"{path} is damaged: {CONFIG} does not have its checksum; copy the folder again")
    return config


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
            first = error.errors()[0]
            says, name = first["msg"].removeprefix("Value error, "), ".".join(map(str, first["loc"]))
            if not name:  # of several options together, which the sentence names
                raise OptionError(says) from None
            got = "" if first["type"] == "missing" else f" (got {first['input']!r})"
            raise OptionError(f"option {name}: {says}{got}") from None
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
    working_half: type[Task] = catalog.load("tasks", name).load_task()
    _check_columns(name, working_half, columns)
    if training.bptt is not None and not working_half.cuts:
        raise OptionError(f"--bptt has no meaning for {name}, which learns from whole sequences; leave it out")
    for cell in network_options.cells:
        cell_class(cell)
    if training.threads:
        torch.set_num_threads(training.threads)
    out = Path(out) if out is not None else None
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
    training = preferring(training, task.training_defaults())
    model = _fresh(name, task, network_options, training)
    if base is not None:
        model.network.load_state_dict(base.network.state_dict())
    if say:
        say(model.understood)
    if resume and not goes_on and out is not None and out.exists():
        return _finished(out, model)
    with exclusive(folder):
        return _run(model, base, valid, out, folder, goes_on, resume, force, hooks, began)


def _as(base: Model, given: Network) -> Network:
    """The network of the model that training goes on from; another shape cannot be asked for."""
    for name in given.model_fields_set - {"dropout", "locked", "zoneout", "state_dropout", "weight_drop"}:
        if getattr(given, name) != getattr(base.network_options, name):
            raise OptionError(
                f"{name} {getattr(given, name)} is not that of the model to go on from, {getattr(base.network_options, name)}; "
                f"leave --{name.replace('_', '-')} out"
            )
    return base.network_options.model_copy(update=given.model_dump(exclude_unset=True))


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
        clear(folder)
    refit = task.refits if training.refit is None else training.refit
    given = {"resume": resume, "identity": _identity(model), "began": began, "share": 0.5 if refit else 1.0}
    recorders = [*hooks, *_recorders(folder, training)]
    problem = task.problem(training.batch, valid)
    found = fit_members(model.network, problem, training, folder=_part(folder, "search"), hooks=recorders, **given)
    model.validation = _validated(model, model.network, valid)
    model.run = record(found)
    model.interrupted = not finished(model.network, found)
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


def _recorders(folder: Path | None, training: Training) -> list[Hook]:
    if folder is None:
        return []
    return [CurveFile(folder), *([TensorBoard(folder / "tensorboard")] if training.tensorboard else [])]


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
    return {"data": model.data["fingerprint"], "task": model.name, **parts, "threads": torch.get_num_threads()}
