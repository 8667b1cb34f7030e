"""The task classify at work: probabilities of classes, calibrated, beside the majority and a logistic regression."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from saiki import catalog, metrics
from saiki.errors import OptionError
from saiki.metrics import auc, average_precision
from saiki.metrics._classes import chosen
from saiki.modalities.label import LabelCodec
from saiki.readers import _collection, read_frame
from saiki.readers.csv import MISSING
from saiki.tasks import _baseline_share
from saiki.tasks._class_tables import as_numbers, confusions, per_class
from saiki.tasks._evaluation import Evaluation, Table
from saiki.tasks._labelling import LabelTask
from saiki.tasks.classify import Classify

#: classes whose probabilities become columns
MOST_COLUMNS = 100
#: a class rarer than this makes accuracy a poor judge: answerers are ranked by AUC
RARE = 0.2
#: mistakes that a report shows
MISTAKES = 15
#: the least and the largest temperature, and how often the stretch between them is cut at the golden ratio
COLDEST, HOTTEST, CUTS = 0.2, 10.0, 24
#: the score of the true class that a readout in closed form should give, of the others 0
SURE = 5.0


class ClassifyTask(LabelTask):
    """Scores are logarithms of probabilities, up to a constant."""

    answer = "labels"
    name = "classify"
    options: Classify
    label: LabelCodec
    partner = "logistic_summary"

    @classmethod
    def fit(cls, options: Classify, data: Any, columns: dict[str, Any]) -> LabelTask:
        """Series, or documents where the source is a column of text."""
        if not isinstance(data, np.ndarray):
            from saiki.data.texts import text_column

            own = _collection.documents(data, options.encoding)
            data = (
                read_frame(data, encoding=options.encoding, names=(columns.get("id"),))
                if own is None
                else _as_asked(own, columns)
            )
            if (column := text_column(data, columns)) is not None:
                return _of_documents(options).fit_documents(options, data, column, columns)
        if options.multi_label:
            raise OptionError("--multi-label is for documents; name their column with --source, or leave it out")
        if options.hierarchical:
            raise OptionError("--hierarchical is for documents; name their column with --source, or leave it out")
        return super().fit(options, data, columns)

    @classmethod
    def from_json(cls, options: Any, stored: dict[str, Any]) -> LabelTask:
        """As what was saved: series, or documents."""
        if "text" in stored:
            return _of_documents(options).from_json(options, stored)
        return super().from_json(options, stored)

    @classmethod
    def fit_label(cls, answers: pl.Series) -> LabelCodec:
        return LabelCodec.fit(answers)

    @classmethod
    def outputs(cls, label: LabelCodec) -> int:
        return len(label.classes)

    def truth(self, answers: pl.Series) -> np.ndarray:
        return self.label.encode(answers)

    def strata(self, truth: np.ndarray) -> np.ndarray:
        return truth

    def objective(self, scores: Tensor, truth: Tensor) -> Tensor:
        weights = self._class_weights
        return nn.functional.cross_entropy(scores, truth, None if weights is None else scores.new_tensor(weights))

    @property
    def _class_weights(self) -> np.ndarray | None:
        if self.options.class_weight != "balanced":
            return None
        count = np.bincount(self._encoded.truth, minlength=len(self.label.classes))
        return count.sum() / (len(count) * np.maximum(count, 1))

    def targets(self, truth: np.ndarray) -> tuple[Tensor, Tensor | None]:
        weights = self._class_weights
        one_hot = nn.functional.one_hot(torch.from_numpy(truth), len(self.label.classes)).double()
        return SURE * one_hot, None if weights is None else torch.from_numpy(weights[truth])

    def score(self, scores: Tensor, truth: Tensor) -> Tensor:
        """The log loss at the best temperature: how sure the network is does not stop training, what it knows does."""
        if not self.options.calibrate:
            return self.objective(scores, truth)
        return scores.new_tensor(_loss(scores, truth, _temperature(scores, truth)))

    def heat(self, scores: np.ndarray, truth: Tensor) -> float:
        return _temperature(torch.from_numpy(scores), truth) if self.options.calibrate else 1.0

    def mean_loss(self, scores: np.ndarray, truth: Tensor, temperature: float) -> float:
        return _loss(torch.from_numpy(scores), truth, temperature)

    def logarithms(self, scores: Tensor) -> np.ndarray:
        return scores.double().log_softmax(1).numpy()

    def partner_scores(self, theirs: dict[str, np.ndarray]) -> np.ndarray:
        return _baseline_share.logarithms(theirs[self.partner])

    def fit_baseline(self, name: str, x: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
        """Where classes weigh alike, they do so for the baseline that has a share in the answers, too."""
        balanced = {"balanced": True} if name == self.partner and self.options.class_weight == "balanced" else {}
        return catalog.load("baselines", name).fit(x, truth, self.plan.outputs, **balanced)

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities."""
        powers = np.exp(scores - scores.max(1, keepdims=True, initial=-np.inf))
        return powers / powers.sum(1, keepdims=True)

    def columns(self, found: np.ndarray) -> list[pl.Series]:
        names = self.label.names[:MOST_COLUMNS] if len(self.label.names) <= MOST_COLUMNS else []
        label = self.label.decode(chosen(found), "saiki")
        return [label, *(pl.Series(f"saiki-{name}", found[:, k]) for k, name in enumerate(names))]

    def judge(self, found: dict[str, np.ndarray], truth: np.ndarray, ids: np.ndarray, about: str) -> Evaluation:
        scores = {name: metrics.label_scores(truth, p) for name, p in found.items()}
        shares = np.bincount(truth, minlength=len(self.label.classes)) / len(truth)
        rare = len(shares) == 2 and 0 < shares.min() < RARE
        notes = (
            [f"{shares.min():.1%} of the {self.items} are of the rarer class: answerers are ranked by AUC."]
            if rare
            else []
        )
        ranked = ("auc", "accuracy") if rare else ("accuracy",)
        ours, names = chosen(found["saiki"]), self.label.names
        classes = per_class(names, truth, ours, "class")
        tables = [*confusions(names, truth, ours), classes, *self._mistakes(truth, found["saiki"], ids)]
        details = {"classes": as_numbers(classes)}
        return Evaluation(about, scores, notes, ranked_by=ranked, tables=tables, details=details)

    def judge_by_part(
        self, told: Evaluation, found: dict[str, np.ndarray], truth: np.ndarray, ends: np.ndarray
    ) -> None:
        """What goes by the order of answers is a mean over the parts, weighted by their rows."""
        truths = np.split(truth, ends)
        sizes = np.array([len(t) for t in truths])
        for (name, p), metric in product(found.items(), (auc, average_precision)):
            scores = np.array([metric.score(t, part) for t, part in zip(truths, np.split(p, ends), strict=True)])
            known = np.isfinite(scores)
            mean = float(np.average(scores[known], weights=sizes[known])) if known.any() else float("nan")
            told.scores[name][metric.__name__.rpartition(".")[2]] = mean

    def beside_truth(self, truth: np.ndarray, found: np.ndarray) -> tuple[pl.Series, np.ndarray]:
        true, given = found[np.arange(len(truth)), truth], chosen(found)
        return self.label.decode(truth, "truth"), np.where(given == truth, 1 + true, true)

    def _mistakes(self, truth: np.ndarray, found: np.ndarray, ids: np.ndarray) -> list[Table]:
        """The most confident ones."""
        given = chosen(found)
        wrong = np.flatnonzero(given != truth)
        wrong = wrong[np.argsort(-found[wrong, given[wrong]], kind="stable")][:MISTAKES]
        if not len(wrong):
            return []
        names, rows = self.label.names, []
        for k in wrong:
            sure = [f"{found[k, given[k]]:.3f}", f"{found[k, truth[k]]:.3f}"]
            rows.append([str(ids[k]), names[truth[k]], names[given[k]], *sure])
        head = [self.layout.id or "row", "true", "answered", "probability", "of the true one"]
        return [
            Table(
                "The most confident mistakes",
                head,
                rows,
                f"Look at these {self.items} first: some labels may be wrong.",
            )
        ]

    @property
    def headline(self) -> str:
        return f"{len(self.label.classes)} classes"

    def describe(self) -> list[tuple[str, str]]:
        names, counts = self.label.names, np.bincount(self._encoded.truth, minlength=len(self.label.classes))
        shown = [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)]
        words = ", ".join(shown[:12]) + (f", and {len(shown) - 12} more" if len(shown) > 12 else "")
        rows = super().describe()
        rows = [rows[0], ("classes", f"{words} in {self.layout.target}"), *rows[1:]]
        if doubtful := [name for name in names if name.strip() in MISSING]:
            rows.append(
                (
                    "note",
                    f"{doubtful[0]!r} is a class like any other; leave fields empty where the answer is missing.",
                )
            )
        return rows

    @classmethod
    def label_from_json(cls, stored: dict[str, Any]) -> LabelCodec:
        return LabelCodec.from_json(stored)


def _as_asked(own: Any, columns: dict[str, Any]) -> Any:
    """Documents that came without names of columns, under those that are asked for; the place of a file is its id."""
    asked = {
        _collection.TEXT: columns.get("source"),
        _collection.CLASS: columns.get("target"),
        _collection.FILE: columns.get("id"),
    }
    given = {
        old: new[0] if isinstance(new, list | tuple) else new
        for old, new in asked.items()
        if new and old in own.columns
    }
    kept = own.rename(given)
    return kept if columns.get("id") else kept.drop([name for name in kept.columns if name == _collection.FILE])


def _of_documents(options: Classify) -> Any:
    """The task of documents with one label, or with any number of them."""
    if options.multi_label:
        from saiki.tasks._label_sets import LabelSetTask

        return LabelSetTask
    if options.separator:
        raise OptionError("--separator stands between several labels of a document; it needs --multi-label")
    from saiki.tasks._documents import DocumentTask

    return DocumentTask


def _loss(scores: Tensor, truth: Tensor, temperature: float) -> float:
    """The log loss at a temperature; in NumPy, since it is many small steps."""
    z = scores.double().numpy() / temperature
    z = z - z.max(1, keepdims=True)
    return float((np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), truth.numpy()]).mean())


def _temperature(scores: Tensor, truth: Tensor) -> float:
    """The temperature with the least log loss, which has one valley: by cuts at the golden ratio, on a logarithm."""
    if not len(truth):
        return 1.0
    ratio, low, high = (5**0.5 - 1) / 2, np.log(COLDEST), np.log(HOTTEST)
    inner = [high - ratio * (high - low), low + ratio * (high - low)]
    losses = [_loss(scores, truth, float(np.exp(t))) for t in inner]
    for _ in range(CUTS):
        if losses[0] < losses[1]:
            high, inner, losses = inner[1], [0.0, inner[0]], [0.0, losses[0]]
            inner[0] = high - ratio * (high - low)
            losses[0] = _loss(scores, truth, float(np.exp(inner[0])))
        else:
            low, inner, losses = inner[0], [inner[1], 0.0], [losses[1], 0.0]
            inner[1] = low + ratio * (high - low)
            losses[1] = _loss(scores, truth, float(np.exp(inner[1])))
    return float(np.exp((low + high) / 2))
