"""A score table with the baselines in it, and what stands behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saiki import metrics


@dataclass(frozen=True)
class Table:
    """A table of a report, as text; `shades` colours cells from 0 to 1, like a confusion matrix."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""
    shades: list[list[float]] | None = None


@dataclass(frozen=True)
class Passage:
    """A text of a report: its pieces, coloured by what each did for the answer, from -1 (against it) to 1."""

    says: str
    pieces: list[str]
    shares: list[float]
    between: str = " "


@dataclass(frozen=True)
class Evaluation:
    """Scores by answerer (`saiki` first, then the baselines) and metric, and what they judge.

    about      what was scored
    ranked_by  the metric by which answerers are ranked; the next one where the first has no value
    notes      what was left out
    tables     what a report shows beside the scores
    details    numbers of the tables, for programs
    forecasts, truth, panel  of forecasts only: the answers themselves, for pictures
    judged     for what stands behind the answers: of forecasts the panel and the origins of every row; the documents
    rolled     of back-tests all that was forecast, from every cutoff
    """

    about: str
    scores: dict[str, dict[str, float]]
    notes: list[str] = field(default_factory=list)
    forecasts: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    truth: np.ndarray | None = field(default=None, repr=False)
    panel: Any = field(default=None, repr=False)
    ranked_by: tuple[str, ...] = ("mase", "mae")
    tables: list[Table] = field(default_factory=list, repr=False)
    details: dict[str, Any] = field(default_factory=dict, repr=False)
    judged: Any = field(default=None, repr=False)
    rolled: Any = field(default=None, repr=False)

    def _rank(self, name: str) -> float:
        """The score that ranks, turned so that lower is better; infinite where there is none."""
        metric = self._metric(name)
        if metric is None:
            return math.inf
        value = self.scores[name][metric]
        return -value if metrics.better(metric) == "higher" else value

    def _metric(self, name: str) -> str | None:
        return next((m for m in self.ranked_by if np.isfinite(self.scores[name].get(m, np.nan))), None)

    @property
    def best_baseline(self) -> str | None:
        """The baseline with the best score of the metric that ranks."""
        return min((n for n in self.scores if n != "saiki"), key=self._rank, default=None)

    @property
    def beats_baselines(self) -> bool:
        """Whether the model is better than every baseline."""
        best = self.best_baseline
        return best is not None and self._rank("saiki") < self._rank(best)

    def sentence(self) -> str:
        """Whether the model beat the best baseline, plainly."""
        best = self.best_baseline
        if best is None:
            return "There is no baseline to compare with."
        metric = self._metric("saiki")
        if metric is None:
            return "There is no known value to judge the model by."
        ours, theirs = self.scores["saiki"][metric], self.scores[best].get(metric, math.nan)
        words = f"{metrics.label(metric)} {ours:.3f} against {theirs:.3f}"
        if not self.beats_baselines and f"{ours:.3f}" == f"{theirs:.3f}":
            return f"The model does not beat the best baseline, {best}, and is level with it: {words}."
        if not self.beats_baselines:
            return f"The model does not beat the best baseline, {best}: {words}. Use the baseline, or train longer."
        if metrics.better(metric) == "lower" and theirs > 0:
            lower = f"{1 - ours / theirs:.0%}"
            words += " (by less than 1 %)" if lower == "0%" else f" ({lower} lower)"
        return f"The model beats the best baseline, {best}: {words}."

    def better_than(self, other: Evaluation) -> bool:
        """Whether the model scores better here than in `other`, by the metric that ranks."""
        return self._rank("saiki") < other._rank("saiki")

    def score(self) -> tuple[str, float]:
        """The metric that ranks, and the model's value of it."""
        metric = self._metric("saiki")
        return (metric, self.scores["saiki"][metric]) if metric else (self.ranked_by[0], math.nan)

    def to_json(self) -> dict[str, Any]:
        """Plain data: what was scored, the scores, the notes."""
        clean = {n: {m: (float(v) if np.isfinite(v) else None) for m, v in s.items()} for n, s in self.scores.items()}
        ranked = list(self.ranked_by)
        found = {"about": self.about, "scores": clean, "notes": list(self.notes), "ranked_by": ranked}
        return found | ({"details": self.details} if self.details else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Evaluation:
        """The table alone, from plain data."""
        scores = {n: {m: float("nan") if v is None else v for m, v in s.items()} for n, s in data["scores"].items()}
        ranked = tuple(data.get("ranked_by", ("mase", "mae")))
        return cls(data["about"], scores, list(data["notes"]), ranked_by=ranked)
