"""The task regress at work: a number per series, beside the mean and a ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from saiki import metrics
from saiki.data.columns import numbers
from saiki.data.folds import strata
from saiki.errors import OptionError
from saiki.modalities.label import NumberCodec
from saiki.tasks._evaluation import Evaluation, Table
from saiki.tasks._labelling import LabelTask
from saiki.tasks.regress import Regress

#: errors that a report shows
LARGEST = 15


class RegressTask(LabelTask):
    """Scores are numbers in units of the training data's spread."""

    answer = "numbers"
    partner = "ridge_summary"
    name = "regress"
    options: Regress
    label: NumberCodec

    @classmethod
    def fit_label(cls, answers: pl.Series) -> NumberCodec:
        return NumberCodec.fit(numbers(answers, "target"))

    @classmethod
    def outputs(cls, label: NumberCodec) -> int:
        return 1

    def truth(self, answers: pl.Series) -> np.ndarray:
        return self.label.encode(numbers(answers, "target"))

    def strata(self, truth: np.ndarray) -> np.ndarray:
        return strata(truth)

    def objective(self, scores: Tensor, truth: Tensor) -> Tensor:
        loss = nn.functional.l1_loss if self.options.robust else nn.functional.mse_loss
        return loss(scores[:, 0], truth.to(scores.dtype))

    def targets(self, truth: np.ndarray) -> tuple[Tensor, Tensor | None]:
        if self.options.robust:
            raise OptionError("robust has no closed form; leave --robust out, or take another --cell than echo_state")
        return torch.from_numpy(truth)[:, None].double(), None

    def mean_loss(self, scores: np.ndarray, truth: Tensor, temperature: float) -> float:
        """Of errors that are normal (robust: Laplace) with the spread that they have."""
        errors = scores[:, 0] - truth.numpy().astype(scores.dtype)
        least = np.finfo(np.float32).tiny
        if self.options.robust:
            return float(np.log(max(np.abs(errors).mean(), least)))
        return float(np.log(max((errors**2).mean(), least)) / 2)

    def partner_scores(self, theirs: dict[str, np.ndarray]) -> np.ndarray:
        return self.label.encode(theirs[self.partner])[:, None]

    def decode(self, scores: np.ndarray) -> np.ndarray:
        return self.label.decode(scores[:, 0])

    def unit(self, found: np.ndarray) -> np.ndarray:
        return self.label.decode(found)

    def columns(self, found: np.ndarray) -> list[pl.Series]:
        return [pl.Series("saiki", found)]

    def beside_truth(self, truth: np.ndarray, found: np.ndarray) -> tuple[pl.Series, np.ndarray]:
        true = self.label.decode(truth.astype(float))
        return pl.Series("truth", true), -np.abs(found - true)

    def judge(self, found: dict[str, np.ndarray], truth: np.ndarray, ids: np.ndarray, about: str) -> Evaluation:
        truth = self.label.decode(truth.astype(float))
        scores = {name: metrics.number_scores(truth, answer) for name, answer in found.items()}
        ranked = ("mae",) if self.options.robust else ("rmse",)
        return Evaluation(about, scores, [], ranked_by=ranked, tables=[self._largest(truth, found["saiki"], ids)])

    def _largest(self, truth: np.ndarray, found: np.ndarray, ids: np.ndarray) -> Table:
        worst = np.argsort(-np.abs(found - truth), kind="stable")[:LARGEST]
        rows = [[str(ids[k]), f"{truth[k]:.4g}", f"{found[k]:.4g}", f"{found[k] - truth[k]:+.4g}"] for k in worst]
        return Table("The largest errors", [self.layout.id or "row", "true", "answered", "error"], rows)

    @property
    def headline(self) -> str:
        return f"{self.layout.target}, a number per series"

    def describe(self) -> list[tuple[str, str]]:
        values = self.label.decode(self._encoded.truth.astype(float))
        words = f"{values.min():.4g} to {values.max():.4g}, mean {values.mean():.4g}, spread {values.std():.4g}"
        rows = super().describe()
        return [rows[0], ("answers", f"{self.layout.target}: {words}"), *rows[1:]]

    @classmethod
    def label_from_json(cls, stored: dict[str, Any]) -> NumberCodec:
        return NumberCodec(**stored)
