"""The saved model: a task fitted to data, a network and its weights; save, load, predict, evaluate, stream."""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

import saiki
from saiki import catalog
from saiki.cells import Cell, cell_class, use
from saiki.errors import DataError, ModelError, OptionError, SaikiError, near_misses, refused
from saiki.network.options import Network
from saiki.storage import named, recover_folder, replacing_folder, sha256
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._task import Task
from saiki.training.curve import write_curve
from saiki.training.members import fit_members, rate_of, steps_of
from saiki.training.options import Training

#: version of the folder; a newer one is refused, older ones keep loading
FORMAT = 1
CONFIG, WEIGHTS, CARD, CURVE = "config.json", "model.safetensors", "README.md", "curve.csv"
#: what a configuration raises that does not belong to its weights
FAULTS = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    SafetensorError,
)


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
        A translation takes `beam`, `length_penalty`, `block` and `longest`, as training does.
        """
        model, options = self._answering(options)
        return model.task.predict(self.network, data, **_taken(model, "predict", options))

    def answering(self, **options: Any) -> Model:
        """This model with other options of how it answers, such as the `beam` of a translation; None leaves one as it is."""
        model, others = self._answering(options)
        if name := next(iter(others), None):
            known = self.task.when_answering
            raise OptionError(f"answers of the task {self.name} have no option {name!r}{near_misses(name, known)}")
        return model

    def _answering(self, options: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
        """The model with those options that shape its answers alone, and the others that were given."""
        given = {name: value for name, value in options.items() if value is not None}
        own = {name: given.pop(name) for name in self.task.when_answering if name in given}
        if not own:
            return self, given
        task = copy.copy(self.task)
        try:
            task.options = type(task.options)(**self.task.options.model_dump() | own)
        except ValidationError as error:
            raise refused(error) from None
        return replace(self, task=task), given

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
        in a table beside the calibrated ones. A language model takes `adaptive`: in a table beside its own score that of a copy
        which learns from the text as it reads it. A translation takes what `predict` does.
        """
        model, options = self._answering(options)
        if model is not self:
            return model.evaluate(data, history, windows=windows, step=step, refit=refit, **options)
        if windows is not None or step is not None or refit != "never":
            if history is not None:
                raise OptionError(
                    "got windows and a history apart; expected one of them: windows are cut from the data"
                )
            given = {"windows": windows, "step": step, "refit": refit, "baselines": None, "level": None}
            return self.task.back_test(self.network, data, given | _taken(self, "evaluate", options), self._retrained)
        found = self.task.evaluate(self.network, data, history, **_taken(self, "evaluate", options))
        if told := self._seen(data, history, found):
            found.notes.append(told)
        return found

    def _seen(self, data: Any, history: Any, found: Evaluation) -> str:
        """What training has seen of what was judged; empty if nothing is known of it."""
        whole = "refit" in self.run
        if (
            history is None
            and (whole or self.task.judges_all)
            and self.task.fingerprint(data) == self.data["fingerprint"]
        ):
            why = " (few are trained once more on everything)" if whole else ""
            flatter = "the scores flatter; those of validation, and of data it has not seen, do not."
            return f"Training has seen these very data{why}: {flatter}"
        return self.task.seen(found) if whole else ""

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
        """The task on other data, and a network trained from the start on them as `train` does, for as many steps as this one.

        Where something can be held out, shares and intervals are settled on it, not on what comes after these data.
        """
        task, training = self.task.on(data), self.training_options
        known = {"steps": steps_of(self.run), "rate": rate_of(self.run)}

        def trained(whole: bool) -> torch.nn.Module:
            network = task.network(self.network_options, self.width, training.seed)
            fit_members(network, task.problem(training.batch, whole=whole), training, **known)
            return network

        if not task.holds_out:
            return task, trained(True)
        network = trained(False)
        task.settle(network)
        if task.refits if training.refit is None else training.refit:
            searched, network = network, trained(True)
            task.settle(network, searched=searched)
        return task, network

    def stream(self, history: Any = None) -> Any:
        """An object whose `push(row)` gives what `predict` gives for all rows pushed so far.

        history  of a forecast: data as `predict` takes them, after which the stream begins, as if their rows had been pushed.
        """
        stream = self.task.stream(self.network)
        if history is not None:
            if not hasattr(stream, "begin"):
                raise OptionError(f"a stream of the task {self.name} begins empty; history is for forecasts")
            stream.begin(history)
        return stream

    def attention(self, data: Any) -> Any:
        """How much each part of what is seen counts for the answers, an array with one row per answer; for plots."""
        return self.task.attention(self.network, data)

    def generate(self, prompt: str | list[str] = "", **options: Any) -> Any:
        """New data like the training data, after a prompt, of several a list; only for tasks that model their own input."""
        return self.task.generate(self.network, prompt=prompt, **options)

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

        path = named(path)
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
    known = [*list(inspect.signature(getattr(model.task, command)).parameters)[2:], *model.task.when_answering]
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
    path = named(path)
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
    path = named(path)
    use(cells)
    recover_folder(path)
    config = _read_config(path)
    if not (path / WEIGHTS).exists():
        raise ModelError(f"{path} is incomplete: {WEIGHTS} is missing; copy the whole folder again")
    if sha256(path / WEIGHTS) != config.get("weights_sha256"):
        raise ModelError(f"{path} is damaged: {WEIGHTS} does not have the checksum in {CONFIG}; copy the folder again")
    try:
        return _restored(path, config)
    except SaikiError:
        raise
    except FAULTS as error:
        what = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(
            f"{path} is damaged: {CONFIG} does not fit its model ({what}); copy the folder again"
        ) from error


def _restored(path: Path, config: dict[str, Any]) -> Model:
    module = catalog.load("tasks", config["task"])
    network_options = Network(**config["network"])
    _check_size(path, network_options, config)
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


def _check_size(path: Path, options: Network, config: dict[str, Any]) -> None:
    """ModelError for a network that the weights are too few for, before it is built: every layer has a number per unit at least."""
    with safe_open(path / WEIGHTS, "pt") as file:
        held = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    plan = config["fitted"].get("plan") or {}
    members = max(plan.get("members") or 1, config["options"].get("ensemble") or 1)
    deep = 1 + (options.depth or 0) + (options.transition or 0) + (options.deep_output or 0)
    if members * options.layers * deep * (options.width or 1) > held:
        raise ModelError(
            f"{path} is damaged: {WEIGHTS} holds {held:,} numbers, too few for the network in {CONFIG} (networks {members:,}, "
            f"layers {options.layers:,}, width {options.width:,}); copy the folder again"
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
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {CONFIG} cannot be read ({error}); copy the folder again") from None
    if not isinstance(version, int) or version > FORMAT:
        raise ModelError(f"{path} has format {version!r}, this saiki reads up to {FORMAT}; update saiki")
    if config.get("config_sha256") != _digest(config):
        raise ModelError(f"{path} is damaged: {CONFIG} does not have its checksum; copy the folder again")
    return config
