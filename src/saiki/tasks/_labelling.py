"""What the tasks classify and regress share: series are read, split, encoded, answered and judged alike."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch
from torch import Tensor

from saiki import baselines, catalog
from saiki.baselines._summary import summaries
from saiki.cells import cell_class
from saiki.data._layout import Layout
from saiki.data.audit import audit_labelled
from saiki.data.folds import folds, one_group
from saiki.data.frames import like_rows, native
from saiki.data.labelled import Labelled, labelled
from saiki.data.roles import ID
from saiki.data.texts import Documents
from saiki.errors import DataError, OptionError
from saiki.modalities._channels import ChannelCodec
from saiki.network.labeller import Labellers, LabelPlan
from saiki.readers import read_frame
from saiki.tasks import _baseline_share
from saiki.tasks._evaluation import Evaluation
from saiki.tasks._label_options import LabelOptions
from saiki.tasks._label_problem import Encoded, LabelProblem, answers
from saiki.tasks._task import Task

Table = TypeVar("Table", Labelled, Documents)
#: series with an answer that are the least to learn from
FEWEST = 10
#: members of an ensemble: of few series, of many, of very many; fewer than 5 hold out a tenth each
MEMBERS, MANY, PARTS = ((2000, 5), (20_000, 3)), 1, 10
#: series below which changed copies of them are learned from
FEW = 2000
#: tokens of a series that is longer than this are patches
LONGEST = 160


def learnable(everything: Table, rows: str, answer: str, content: str) -> Table:
    """What has an answer and something in it, a note of what is left out; DataError if that is too little to learn from."""
    known = np.flatnonzero(everything.known & (everything.lengths > 0))
    if len(known) < FEWEST:
        raise DataError(
            f"{len(known)} of {len(everything)} {rows} have {answer} in column {everything.layout.target!r} and {content}; "
            f"expected at least {FEWEST} to learn from"
        )
    if len(known) < len(everything):
        everything.notes.append(f"{len(everything) - len(known)} {rows} without {answer} or {content} are left out.")
    return everything.select(known)


class LabelTask(Task):
    """One answer per series. A subclass says what an answer is: its codec, objective, baselines and scores."""

    answer = "answers"
    #: what has an answer, in the plural
    items = "series"
    closed_form = True
    #: the baseline that may have a share in the answers, and the factor of its scores
    partner: str
    beside = 0.0
    name: str
    options: LabelOptions

    def __init__(
        self, options: Any, layout: Layout, codec: ChannelCodec, label: Any, plan: LabelPlan,
        fitted: dict[str, Any], training: Labelled | None = None,
    ) -> None:  # fmt: skip
        self.options, self.layout, self.codec, self.label = options, layout, codec, label
        self.plan, self.fitted, self.training = plan, fitted, training

    @classmethod
    def fit(cls, options: Any, data: Any, columns: dict[str, Any]) -> LabelTask:
        """Roles of columns, statistics of channels, what the answers are, sizes; and the baselines, on all of it."""
        asked = {"static": options.static, "group": options.group, "channels": options.channels}
        everything = labelled(data, **columns, **asked)
        training = learnable(everything, "series", "an answer", "a step")
        assert training.answers is not None
        label = cls.fit_label(training.answers)
        codec = ChannelCodec.fit(training, options.normalise, options.fill, options.differences)
        task = cls(options, training.layout, codec, label, cls._plan(options, training, codec, label), {}, training)
        task.fitted = task._baselines(np.arange(len(training)))
        return task

    # What a subclass says.

    @classmethod
    def fit_label(cls, answers: pl.Series) -> Any:
        """The codec of the answers."""
        raise NotImplementedError

    @classmethod
    def outputs(cls, label: Any) -> int:
        """Scores per series."""
        raise NotImplementedError

    def truth(self, answers: pl.Series) -> np.ndarray:
        """Answers as training compares them: `[series]`; negative or NaN where they mean nothing."""
        raise NotImplementedError

    def strata(self, truth: np.ndarray) -> np.ndarray:
        """Codes that every fold should hold alike."""
        raise NotImplementedError

    def objective(self, scores: Tensor, truth: Tensor) -> Tensor:
        """What training lowers."""
        raise NotImplementedError

    def score(self, scores: Tensor, truth: Tensor) -> Tensor:
        """What validation looks at, lower is better."""
        return self.objective(scores, truth)

    def targets(self, truth: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """The scores that a readout in closed form should give, `[series, outputs]`, and what each series weighs."""
        raise NotImplementedError

    def mean_loss(self, scores: np.ndarray, truth: Tensor, temperature: float) -> float:
        """Nats per answer, of scores at a temperature."""
        raise NotImplementedError

    def partner_scores(self, theirs: dict[str, np.ndarray]) -> np.ndarray:
        """What the partner says, as scores `[series, outputs]`."""
        raise NotImplementedError

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """Scores as answers that metrics and baselines speak of."""
        raise NotImplementedError

    def columns(self, found: np.ndarray) -> list[pl.Series]:
        """The columns of a prediction."""
        raise NotImplementedError

    def beside_truth(self, truth: np.ndarray, found: np.ndarray) -> tuple[pl.Series, np.ndarray]:
        """The truth as a column, and numbers `[series]` that are lowest for the worst answers."""
        raise NotImplementedError

    def judge(self, found: dict[str, np.ndarray], truth: np.ndarray, ids: np.ndarray, about: str) -> Evaluation:
        """The score table of the answers of all answerers."""
        raise NotImplementedError

    # Understanding.

    @classmethod
    def _plan(cls, options: Any, data: Labelled, codec: ChannelCodec, label: Any) -> LabelPlan:
        steps, static = codec.encode(data.select([0]))
        longest = int(np.quantile(data.lengths, 0.9))
        patch = options.patch or max(1, -(-longest // LONGEST))
        members = options.ensemble or next((m for most, m in MEMBERS if len(data) < most), MANY)
        return LabelPlan(
            steps.values.shape[1], static.shape[1], cls.outputs(label), patch, options.pooling, members
        )  # fmt: skip

    def read(self, data: Any) -> Labelled:
        """A table read as the training data were."""
        return labelled(data, layout=self.layout)

    def _leaks(self) -> list[str]:
        """Ways in which the answers of what is held out are told, as sentences."""
        return audit_labelled(self._own, self._folds)

    def describe(self) -> list[tuple[str, str]]:
        leaks = self._leaks()
        return self._own.describe() + [("leak", sentence) for sentence in leaks]

    def fingerprint(self, data: Any = None) -> str:
        if data is None:
            return self._own.fingerprint()
        found = self.read(data)
        return found.select(np.flatnonzero(found.known & (found.lengths > 0))).fingerprint()

    @property
    def _own(self) -> Labelled:
        assert self.training is not None, "a loaded model has no training data"
        return self.training

    @property
    def default_width(self) -> int:
        """Few series are learned by heart by a wide network."""
        size = len(self._own)
        return 32 if size < 200 else 64 if size < 3000 else 96

    def network_defaults(self) -> dict[str, Any]:
        return {"bidirectional": True, "dropout": 0.3}

    def training_defaults(self) -> dict[str, Any]:
        size = len(self._own)
        batch = 16 if size < 500 else 32 if size < 3000 else 64
        return {"batch": batch, "learning_rate": 4e-3, "most_epochs": 150 if size < 3000 else 40, "average": 0.99}

    def network(self, options: Any, width: int, seed: int) -> Labellers:
        if self.closed_form and options.closed_form and self.options.augment:
            raise OptionError(
                "augment: echo_state learns from the series as they are, in one pass; leave --augment out"
            )
        if self.plan.patch > 1:
            for cell in options.cells:
                if cell_class(cell).needs & {"gap", "observed"}:
                    raise OptionError(f"patch {self.plan.patch}: the cell {cell!r} sees every step; expected --patch 1")
        plan = self.plan
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Labellers(plan, options, width)

    # Training.

    @cached_property
    def _encoded(self) -> Encoded:
        assert self._own.answers is not None
        return self._encode(self._own, self.truth(self._own.answers))

    def _encode(self, data: Labelled, truth: np.ndarray | None = None) -> Encoded:
        steps, static = self.codec.encode(data)
        return Encoded(steps, static, np.zeros(len(data)) if truth is None else truth, self.codec.numeric)

    @cached_property
    def _folds(self) -> np.ndarray:
        """The part of each training series; member k is validated on part k."""
        count = self.plan.members if self.plan.members >= 5 else PARTS
        return folds(self.strata(self._encoded.truth), count, self._own.group)

    def problem(self, batch: int, valid: Any = None, whole: bool = False) -> LabelProblem:
        everything, members = np.arange(len(self._own)), self.plan.members
        apart = valid is not None or whole
        seen = [everything if apart else np.flatnonzero(self._folds != k) for k in range(members)]
        if not all(map(len, seen)):
            raise one_group(self.options.group)
        judged, held = self._judged(valid, whole)
        changes = self.options.augment
        if changes is None:
            changes = ("noise", "scale", "mask", "crop") if len(self._own) < FEW else ()
        how = (self.objective, self.score, changes, batch, self.targets)
        return LabelProblem(self._encoded, seen, judged, held, *how)

    def _judged(self, valid: Any, whole: bool = False) -> tuple[Encoded, list[np.ndarray]]:
        """What is validated, and by which member: every series by the one that has not seen it, or all by all."""
        members = self.plan.members
        if whole:
            return self._encoded, [np.empty(0, np.int64)] * members
        if valid is None:
            return self._encoded, [np.flatnonzero(self._folds == k) for k in range(members)]
        data, truth = self._known(valid)
        return self._encode(data, truth), [np.arange(len(data))] * members

    def _known(self, data: Any) -> tuple[Labelled, np.ndarray]:
        """The series of a table that have a step and an answer that means something, and their truth."""
        found = self.read(data)
        if found.answers is None:
            raise DataError(f"no column {self.layout.target!r} with the answers; expected it beside the {self.items}")
        found = found.select(np.flatnonzero(found.known & (found.lengths > 0)))
        assert found.answers is not None
        truth = self.truth(found.answers)
        some = np.flatnonzero(truth >= 0 if truth.dtype.kind == "i" else np.isfinite(truth))
        if not len(some):
            raise DataError(
                f"none of the {self.items} has an answer in column {self.layout.target!r} that training knows"
            )
        return found.select(some), truth[some]

    # The share of a baseline, and the temperature.

    def settle(self, network: Labellers, valid: Any = None, searched: Any = None) -> None:
        """The share of the baseline, and the temperature that makes probabilities of the series left out true."""
        if searched is not None:
            network.temperature.copy_(searched.temperature)
        else:
            _baseline_share.settle(self, network, valid)

    def logarithms(self, scores: Tensor) -> np.ndarray:
        """Scores of networks as they are averaged and joined."""
        return scores.double().numpy()

    def heat(self, scores: np.ndarray, truth: Tensor) -> float:
        """The best temperature, where one is asked for."""
        return 1.0

    def theirs(self, valid: Any) -> dict[str, np.ndarray]:
        """The answers of the baselines to what is held out, in the order of `LabelProblem.left_out`."""
        if valid is None:
            return self._theirs
        found = self._by_baselines(
            self.fitted, self._known(valid)[0]
        )  # once for each network: all of them answer it all
        return {name: np.concatenate([answer] * self.plan.members) for name, answer in found.items()}

    def tell_alone(self, told: Evaluation, scores: np.ndarray, truth: np.ndarray, ids: np.ndarray) -> None:
        """Add what the network's own scores come to, where the baseline has a share in the answers."""
        if self.beside:
            alone = self.judge({"saiki": self.decode(scores)}, truth, ids, "").scores["saiki"]
            _baseline_share.tell(told, self.partner, alone)

    # Answers.

    def _answers(self, network: Labellers, data: Labelled) -> np.ndarray:
        return self.joined(self._scores(network, data), data)

    def _scores(self, network: Labellers, data: Labelled) -> np.ndarray:
        """The network's scores."""
        network.eval()
        if not len(data):
            return np.empty((0, self.plan.outputs))
        return answers(network, self._encode(data), np.arange(len(data))).double().numpy()

    def joined(self, scores: np.ndarray, data: Any, theirs: dict[str, np.ndarray] | None = None) -> np.ndarray:
        """The scores of series with the share of the baseline; `theirs` are the baselines' answers, where known already."""
        if not self.beside:
            return scores
        theirs = self._by_baselines(self.fitted, data) if theirs is None else theirs
        return scores + self.beside * self.partner_scores(theirs)

    def predict(self, network: Labellers, data: Any) -> Any:
        """One row per series, in the order of ids (of rows, in a wide table): the answer, and how sure it is."""
        path = isinstance(data, str | np.ndarray | list | tuple) or hasattr(data, "__fspath__")
        source = data if path else read_frame(data)
        found = self.read(source)
        rows = self.decode(self._answers(network, found))
        ids = pl.Series(self.layout.id or ID, found.ids.tolist())
        answer = native(pl.DataFrame([ids, *self.columns(rows)]), None if path else source)
        return answer if self.layout.id else like_rows(answer, data)

    def evaluate(self, network: Labellers, data: Any, history: Any = None) -> Evaluation:
        """Scores beside the baselines', on every series of `data` that has an answer."""
        if history is not None:
            raise OptionError("--history is for forecasts; a label or a number per series has none")
        found, truth = self._known(data)
        left = len(self.read(data)) - len(found)
        theirs = self._by_baselines(self.fitted, found)
        scores = self._scores(network, found)
        ours = self.decode(self.joined(scores, found, theirs))
        evaluation = self.judge({"saiki": ours} | theirs, truth, found.ids, f"{len(found):,} {self.items}")
        self.tell_alone(evaluation, scores, truth, found.ids)
        if left:
            evaluation.notes.append(
                f"{left} {self.items} without an answer that training knows, or without a step, are left out."
            )
        return evaluation

    def answered(self, network: Labellers, data: Any) -> pl.DataFrame:
        """Every series with its true answer and ours, the worst first."""
        known, truth = self._known(data)
        found = self.decode(self._answers(network, known))
        true, order = self.beside_truth(truth, found)
        rows = pl.DataFrame([pl.Series(self.layout.id or ID, known.ids.tolist()), true, *self.columns(found)])
        return rows[np.argsort(order, kind="stable")]

    def validation(self, network: Labellers, valid: Any = None) -> Evaluation:
        """Each series held out, answered by the member that has not seen it and by baselines fitted without it."""
        if valid is not None:
            return self.evaluate(network, valid)
        members, held = list(network.members), self._held
        parts = [answers(members[k], self._encoded, rows) for k, rows in held.items()]
        scores, theirs = (torch.cat(parts) / network.temperature).double().numpy(), self._theirs
        rows = np.concatenate(list(held.values()))
        truth, ids = self._encoded.truth[rows], self._own.ids[rows]
        about = f"validation: {len(rows):,} {self.items}, each answered by a network that has not seen it"
        every = {"saiki": self.decode(self.joined(scores, None, theirs))} | theirs
        found = self.judge(every, truth, ids, about)
        if len(held) > 1:
            self.judge_by_part(found, every, truth, np.cumsum([len(rows) for rows in held.values()])[:-1])
        self.tell_alone(found, scores, truth, ids)
        if len(members) > 1:
            found.notes.append(
                f"Validation scores one of {len(members)} networks at a time; together they answer better."
            )
        return found

    def judge_by_part(
        self, told: Evaluation, found: dict[str, np.ndarray], truth: np.ndarray, ends: np.ndarray
    ) -> None:
        """Scores that only compare answers of one network, anew: the parts, one behind the other, have each its own."""

    @cached_property
    def _held(self) -> dict[int, np.ndarray]:
        """The series that members are validated on; of few groups, some members have none."""
        return {k: rows for k in range(self.plan.members) if len(rows := np.flatnonzero(self._folds == k))}

    @cached_property
    def _theirs(self) -> dict[str, np.ndarray]:
        """The answers of baselines to these series, each fitted without them."""
        parts = [self._by_baselines(self._baselines(np.flatnonzero(self._folds != k)), self._own.select(rows))
                 for k, rows in self._held.items()]  # fmt: skip
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _baselines(self, rows: np.ndarray) -> dict[str, Any]:
        """Every baseline fitted to some of the training series, as plain data."""
        x, truth = self._summaries[rows], self._encoded.truth[rows]
        names = baselines.names(self.name)
        return {name: self.fit_baseline(name, x, truth) for name in names}

    def fit_baseline(self, name: str, x: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
        """A baseline fitted to summaries of series and their truth, as plain data."""
        return catalog.load("baselines", name).fit(x, truth, self.plan.outputs)

    @cached_property
    def _summaries(self) -> np.ndarray:
        return self._summed(self._own)

    def _summed(self, data: Labelled) -> np.ndarray:
        """Summaries whose columns are those of training, whatever the categories in these data."""
        known = {
            "source": self.codec.source.known(data.source, "source"),
            "static": self.codec.static.known(data.static, "static"),
        }
        return summaries(replace(data, **known))

    def _by_baselines(self, fitted: dict[str, Any], data: Labelled) -> dict[str, np.ndarray]:
        x = self._summed(data)
        return {name: self.unit(catalog.load("baselines", name).answer(found, x)) for name, found in fitted.items()}

    def unit(self, found: np.ndarray) -> np.ndarray:
        """A baseline's answers in the units of the table."""
        return found

    # What is saved and said.

    def facts(self) -> list[tuple[str, str]]:
        plan = self.plan
        several = f"{plan.members} networks, averaged; " if plan.members > 1 else ""
        patch = f"patches of {plan.patch} steps, " if plan.patch > 1 else ""
        return [
            ("answers", f"{several}{patch}pooled by {' and '.join(plan.pooling)}"),
            *_baseline_share.facts(self),
            ("values", f"units: {self.codec.scale}" + ("; changes too" if self.codec.differences else "")),
            ("stream", "no: the answer is pooled over the whole series"),
        ]

    def stream(self, network: Labellers) -> Any:
        self.cannot("stream", f"--pooling {' '.join(self.plan.pooling)} needs the whole series; use saiki predict")

    def next_commands(self, folder: Path, data: Path) -> list[str]:
        _, evaluate, inspect = super().next_commands(folder, data)
        return [f"{evaluate}    (one that training has not seen)", self.prediction(folder, data), inspect]

    def to_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout.to_json(),
            "codec": self.codec.to_json(),
            "label": self.label.to_json(),
            "plan": asdict(self.plan),
            "baselines": self.fitted,
            "beside": self.beside,
        }

    @classmethod
    def from_json(cls, options: Any, stored: dict[str, Any]) -> LabelTask:
        plan = LabelPlan(**stored["plan"] | {"pooling": tuple(stored["plan"]["pooling"])})
        layout, codec = Layout.from_json(stored["layout"]), ChannelCodec.from_json(stored["codec"])
        task = cls(options, layout, codec, cls.label_from_json(stored["label"]), plan, stored["baselines"])
        task.beside = float(stored.get("beside", 0.0))
        return task

    @classmethod
    def label_from_json(cls, stored: dict[str, Any]) -> Any:
        """The codec of the answers, from plain data."""
        raise NotImplementedError
