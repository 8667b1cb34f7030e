"""The contract between a task and the rest of the program: what `saiki.model` and the commands ask of a task's working half."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, NoReturn

from pydantic import BaseModel
from torch import nn

from saiki.errors import ModelError
from saiki.network.closed_form import check_learning
from saiki.network.options import Network
from saiki.tasks._evaluation import Evaluation, Passage
from saiki.training.loop import Problem
from saiki.training.options import Training

#: names of columns that `saiki.train` takes for every task, and that a task may use
ROLES = ("source", "target", "id", "time")


class Task:
    """The working half of a task: fitted to data, it builds its network, judges it and answers.

    Everything but the weights, as plain data. A task says what has no default here; the rest it may change. See
    `docs/decisions/0007-task-contract.md`.
    """

    #: roles of columns that this task understands
    takes: ClassVar[tuple[str, ...]] = ROLES
    #: what `predict` gives, in one word: it names the file in the advice after training
    answer: ClassVar[str] = "answers"

    #: options that shape the answers alone, and so may be told anew when answering
    when_answering: ClassVar[tuple[str, ...]] = ()
    #: whether `evaluate` judges all that it is given, training parts too, not the end alone
    judges_all: ClassVar[bool] = True
    #: whether training that goes on from a model (--from) falls back to it where it did not get better
    guarded: ClassVar[bool] = False
    #: whether training may cut sequences (`--bptt`): the problem then has a `carry`
    cuts: ClassVar[bool] = False

    #: whether networks of fixed reservoirs have their readout found in closed form: the problem then has `readouts`
    closed_form: ClassVar[bool] = False

    options: BaseModel

    # What is understood of the data.

    @classmethod
    def fit(cls, options: Any, data: Any, columns: dict[str, Any]) -> Task:
        """Understand the training data; `columns` holds every role, None where it was not given."""
        raise NotImplementedError

    def describe(self) -> list[tuple[str, str]]:
        """What was understood of the training data: pairs of a word and what it says."""
        raise NotImplementedError

    def fingerprint(self, data: Any = None) -> str:
        """A hash of the training data, or of `data` read as they were: equal data, equal hash, whatever the file format."""
        raise NotImplementedError

    def seen(self, evaluation: Evaluation) -> str:
        """A note about what was judged, where training, which in the end saw all of its data, may have seen it; else nothing."""
        return ""

    @classmethod
    def validated_apart(cls, options: Any) -> Any:
        """The options where validation has data of its own, so that nothing of the training data need be held out."""
        return options

    @classmethod
    def fit_from(cls, options: Any, data: Any, columns: dict[str, Any], base: Any) -> Task:
        """`fit` for training that goes on from the model `base` (--from), with the numbers that it knows data by."""
        raise ModelError("training cannot go on from another model here (--from)")

    # The network and its training.

    def asked(self, network: Network, training: Training) -> None:
        """Told of the options as they were given, before it is asked for its preferences."""
        if self.closed_form and network.closed_form:
            check_learning(training.model_fields_set | self.options.model_fields_set)

    @property
    def default_width(self) -> int:
        """Units per layer where none are asked for."""
        return 64

    def network_defaults(self) -> dict[str, Any]:
        """Fields of `Network` that this task prefers to their defaults; what was asked for wins."""
        return {}

    def training_defaults(self) -> dict[str, Any]:
        """The same for `Training`."""
        return {}

    @property
    def holds_out(self) -> bool:
        """Whether something can be held out of the data that it was fitted to."""
        return False

    @property
    def refits(self) -> bool:
        """Whether the network is trained once more on everything where `--refit` is not said."""
        return False

    def network(self, options: Network, width: int, seed: int) -> nn.Module:
        """A fresh network, its weights drawn from `seed` alone: for every layer as many numbers as it is wide, at least."""
        raise NotImplementedError

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> Problem:
        """What the training loop needs. `valid` is validated instead of a part of the data; with `whole` nothing is."""
        raise NotImplementedError

    def trained(self, network: nn.Module) -> tuple[Task, nn.Module]:
        """The task and the network as they are kept, once training has shown what was open before."""
        return self, network

    def settle(self, network: Any, valid: Any = None, searched: Any = None) -> None:
        """What is fitted in a trained network at the end, such as a temperature; `searched` is the network before a refit."""

    # Answers.

    def predict(self, network: Any, data: Any) -> Any:
        """The answers for `data`, as a frame of its library."""
        raise NotImplementedError

    def evaluate(self, network: Any, data: Any, history: Any = None) -> Evaluation:
        """Scores beside the baselines'; `history` is what may be seen, for tasks that know such a thing."""
        raise NotImplementedError

    def answered(self, network: Any, data: Any) -> Any:
        """Every answer beside the truth, as a frame; None for tasks that answer otherwise."""
        return None

    def validation(self, network: Any, valid: Any = None) -> Evaluation | None:
        """The same for what was held out of training; None if nothing was."""
        raise NotImplementedError

    def back_test(self, network: Any, data: Any, rolling: dict[str, Any], retrain: Any, frame: bool = False) -> Any:
        """Answers from several cutoffs of the past: their scores, or with `frame` the answers themselves."""
        self.cannot("be back-tested", "only a forecast has cutoffs")

    def on(self, data: Any) -> Task:
        """The same task fitted to other data, for training anew."""
        self.cannot("be trained anew at a cutoff", "only a forecast has cutoffs")

    def stream(self, network: Any) -> Any:
        """An object with `push(row)`; ModelError that names the option which forbids it."""
        self.cannot("stream", "this task answers whole sequences; use saiki predict")

    def attention(self, network: Any, data: Any) -> Any:
        """How much each part of what is seen counts for the answers, one row per answer; for networks with attention."""
        self.cannot("show attention", "this task has none to show")

    def insight(self, network: Any, evaluation: Evaluation) -> Any:
        """What stands behind the answers of an evaluation, for a report; None where a task has nothing to show."""
        return None

    def passages(self, network: Any, evaluation: Evaluation) -> list[Passage]:
        """Some texts of an evaluation, coloured by what each piece did for the answer, for a report."""
        return []

    def generate(self, network: Any, **options: Any) -> Any:
        """New data like the training data, for tasks that can."""
        self.cannot("generate", "only a task that models its own input can (saiki list tasks)")

    def cannot(self, what: str, because: str) -> NoReturn:
        """Refuse in one line."""
        raise ModelError(f"this model cannot {what}: {because}")

    # What is saved and said.

    def to_json(self) -> dict[str, Any]:
        """What was fitted, as plain data."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, options: Any, stored: dict[str, Any]) -> Task:
        """From plain data and the options."""
        raise NotImplementedError

    def files(self) -> dict[str, bytes]:
        """Files that stand beside `config.json`, such as a `tokenizer.json`; data, never code."""
        return {}

    @classmethod
    def restore(cls, options: Any, stored: dict[str, Any], files: dict[str, bytes]) -> Task:
        """From plain data, the options and those files; a task without files has `from_json` alone."""
        return cls.from_json(options, stored)

    @property
    def headline(self) -> str:
        """What is asked, in a few words, such as `7 steps ahead`."""
        return ""

    def facts(self) -> list[tuple[str, str]]:
        """What `saiki inspect MODEL` says beside the network's size: pairs of a word and what it says."""
        return []

    def next_commands(self, folder: Path, data: Path) -> list[str]:
        """What a user would type after training."""
        model = quote(str(folder))
        return [self.prediction(folder, data), f"saiki evaluate {model} FILE", f"saiki inspect {model}"]

    def prediction(self, folder: Path, data: Path) -> str:
        """The command that answers `data`; its output is called by the model, so that those of two models do not meet."""
        model, out = quote(str(folder)), quote(f"{folder.stem}-{self.answer}.csv")
        return f"saiki predict {model} {quote(str(data))} --out {out}"


def preferring(options: Any, defaults: dict[str, Any]) -> Any:
    """Options with a task's preferences where nothing was asked for."""
    given = options.model_dump(exclude_unset=True)
    if isinstance(options, Network) and len(options.cells) > 1 and "," in options.cell:
        defaults = {k: v for k, v in defaults.items() if k != "layers"}  # the cells say how many there are
    if isinstance(options, Network) and given.keys() & {"residual", "connection"}:
        defaults = {k: v for k, v in defaults.items() if k not in ("residual", "connection")}
    if isinstance(options, Training) and given.keys() & {"minutes", "epochs", "steps"}:
        defaults = {k: v for k, v in defaults.items() if k not in ("minutes", "epochs", "steps")}
    return type(options)(**(defaults | given)) if defaults else options
