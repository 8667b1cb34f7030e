"""The task classify for documents with any number of labels: yes or no for each, from a threshold of its own on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from saiki.baselines import tfidf_each
from saiki.data.texts import Documents
from saiki.errors import DataError
from saiki.metrics import micro_f1
from saiki.modalities._sets import LabelSetCodec
from saiki.network.labeller import Labellers
from saiki.tasks import _baseline_share
from saiki.tasks._class_tables import HEADER, as_numbers, counted
from saiki.tasks._documents import DocumentTask
from saiki.tasks._evaluation import Evaluation, Table
from saiki.tasks._labelling import LabelTask
from saiki.tasks.classify import Classify

#: labels whose probabilities become columns, labels that are told of, documents that a report shows
MOST_COLUMNS, TOLD, WORST = 100, 12, 15
#: how much more a rare label weighs at most where labels are balanced
HEAVIEST = 20.0


class LabelSetTask(DocumentTask):
    """Answers are probabilities of all labels, and behind them 1 for each label that is given: `[documents, 2 · labels]`."""

    partner = "tfidf_each"
    label: LabelSetCodec  # type: ignore[assignment]
    _thresholds: np.ndarray  # of the network that answers

    @classmethod
    def label_of(cls, options: Classify, answers: pl.Series) -> LabelSetCodec:
        return LabelSetCodec.fit(answers, options.separator)

    @classmethod
    def label_from_json(cls, stored: dict[str, Any]) -> Any:
        return LabelSetCodec.from_json(stored)

    def strata(self, truth: np.ndarray) -> np.ndarray:
        return truth.argmax(1)

    def objective(self, scores: Tensor, truth: Tensor) -> Tensor:
        weight = None
        if self.options.class_weight == "balanced":
            share = self._encoded.truth.mean(0)
            weight = scores.new_tensor(np.clip((1 - share) / np.maximum(share, 1e-6), 1 / HEAVIEST, HEAVIEST))
        return nn.functional.binary_cross_entropy_with_logits(scores, truth, pos_weight=weight)

    def score(self, scores: Tensor, truth: Tensor) -> Tensor:
        return self.objective(scores, truth)

    def settle(self, network: Labellers, valid: Any = None, searched: Any = None) -> None:
        """Of every label the threshold with the best F1 on the documents left out."""
        if searched is not None:
            network.thresholds.copy_(searched.thresholds)
            network.temperature.copy_(searched.temperature)
            return
        scores, truth = _baseline_share.settle(self, network, valid)
        if len(truth):
            found = micro_f1.best_thresholds(truth.astype(float), _sigmoid(scores))
            network.thresholds.copy_(network.thresholds.new_tensor(found))

    def heat(self, scores: np.ndarray, truth: Tensor) -> float:
        return 1.0

    def mean_loss(self, scores: np.ndarray, truth: Tensor, temperature: float) -> float:
        z = torch.from_numpy(scores) / temperature
        return float(nn.functional.binary_cross_entropy_with_logits(z, truth.double(), reduction="sum") / len(z))

    def logarithms(self, scores: Tensor) -> np.ndarray:
        return scores.double().numpy()

    def partner_scores(self, theirs: dict[str, np.ndarray]) -> np.ndarray:
        return _baseline_share.logits(theirs[self.partner][:, : self.plan.outputs])

    # Answers.

    def tell_alone(self, told: Evaluation, scores: np.ndarray, truth: np.ndarray, ids: np.ndarray) -> None:
        """Nothing: the thresholds are those of the scores together, and say nothing of the network's."""

    def _known(self, data: Any) -> tuple[Documents, np.ndarray]:  # type: ignore[override]
        found = self.read(data)
        if found.answers is None:
            raise DataError(f"no column {self.layout.target!r} with the labels; expected it beside the documents")
        found = found.select(np.flatnonzero(found.known & (found.lengths > 0)))
        if not len(found):
            raise DataError(f"no document has text and labels in column {self.layout.target!r}")
        assert found.answers is not None
        return found, self.truth(found.answers)

    def _scores(self, network: Labellers, data: Any) -> np.ndarray:
        self._thresholds = network.thresholds.double().numpy()
        return super()._scores(network, data)

    def stream(self, network: Labellers) -> Any:
        self._thresholds = network.thresholds.double().numpy()
        return super().stream(network)

    def validation(self, network: Labellers, valid: Any = None) -> Evaluation:
        self._thresholds = network.thresholds.double().numpy()
        found = super().validation(network, valid)
        if valid is None:
            found.notes.append("Thresholds were chosen on these very documents; a test shows what they are worth.")
        return found

    def judge_by_part(
        self, told: Evaluation, found: dict[str, np.ndarray], truth: np.ndarray, ends: np.ndarray
    ) -> None:
        """Nothing: no score goes by the order of answers."""

    def decode(self, scores: np.ndarray) -> np.ndarray:
        p = _sigmoid(scores)
        return np.concatenate([p, p >= self._thresholds], 1)

    def _baselines(self, rows: np.ndarray) -> dict[str, Any]:
        texts = [self._own.texts[k] for k in rows]  # type: ignore[attr-defined]
        known = (self._encoded.truth[rows], self.plan.outputs, micro_f1.best_thresholds, self._characters)
        known += (self.options.class_weight == "balanced",)
        return {"tfidf_each": tfidf_each.fit(texts, *known)}

    def _by_baselines(self, fitted: dict[str, Any], data: Any) -> dict[str, np.ndarray]:
        p = _sigmoid(self._bag(fitted, "tfidf_each")(data.texts))
        thresholds = np.array(fitted["tfidf_each"]["thresholds"])
        return {"tfidf_each": np.concatenate([p, p >= thresholds], 1)}

    def columns(self, found: np.ndarray) -> list[pl.Series]:
        size, names = self.plan.outputs, self.label.names
        shown = names if len(names) <= MOST_COLUMNS else []
        given = self.label.decode(found[:, size:] > 0.5, "saiki")
        return [given, *(pl.Series(f"saiki-{name}", found[:, k]) for k, name in enumerate(shown))]

    def beside_truth(self, truth: np.ndarray, found: np.ndarray) -> tuple[pl.Series, np.ndarray]:
        size = self.plan.outputs
        wrong = (truth != found[:, size:]).sum(1)
        return self.label.decode(truth > 0.5, "truth"), -(wrong + np.abs(truth - found[:, :size]).mean(1))

    def judge(self, found: dict[str, np.ndarray], truth: np.ndarray, ids: np.ndarray, about: str) -> Evaluation:
        size, scores = self.plan.outputs, {}
        for name, answers in found.items():
            given = answers[:, size:]
            each = micro_f1.by_label(truth, given)
            macro = float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")
            exact = float((given == truth).all(1).mean())
            scores[name] = {"micro_f1": micro_f1.score(truth, given), "macro_f1": macro, "exact": exact}
        labels = self._per_label(truth, found["saiki"][:, size:])
        tables = [labels, self._worst(truth, found["saiki"], ids)]
        details = {"labels": as_numbers(labels)}
        return Evaluation(about, scores, [], ranked_by=("micro_f1", "macro_f1"), tables=tables, details=details)

    def _per_label(self, truth: np.ndarray, given: np.ndarray) -> Table:
        right, said, true = ((a.sum(0)).astype(int).tolist() for a in (truth * given, given, truth))
        rows = [counted(*row) for row in zip(self.label.names, right, said, true, strict=True)]
        return Table("Labels", ["label", *HEADER], rows, "Each from its own threshold on.")

    def _worst(self, truth: np.ndarray, found: np.ndarray, ids: np.ndarray) -> Table:
        true, order = self.beside_truth(truth, found)
        given = self.columns(found)[0]
        shown = lambda v: v if isinstance(v, str) else ", ".join(v)  # noqa: E731
        worst = np.argsort(order, kind="stable")[:WORST].tolist()
        rows = [[str(ids[k]), shown(true[k]), shown(given[k])] for k in worst]
        return Table("The worst answers", [self.layout.id or "row", "true", "answered"], rows, "Look at these first.")

    # What is said.

    @property
    def headline(self) -> str:
        return f"{len(self.label.classes)} labels, any number of them"

    def describe(self) -> list[tuple[str, str]]:
        counts, names = self._encoded.truth.sum(0).astype(int), self.label.names
        order = np.argsort(-counts, kind="stable")[:TOLD]
        words = ", ".join(f"{names[k]} ({counts[k]:,})" for k in order)
        more = f", and {len(names) - TOLD} more" if len(names) > TOLD else ""
        rows = LabelTask.describe(self)
        each = f"{self._encoded.truth.sum(1).mean():.2f} per document"
        found = ("labels", f"{words}{more} in {self.layout.target}, {each}")
        return [rows[0], found, *rows[1:], ("units", self.text.describe())]


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(scores, -50, 50)))
