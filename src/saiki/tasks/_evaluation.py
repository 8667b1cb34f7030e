"""A score table with the baselines in it, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """Scores by forecast (`saiki` first, then the baselines) and metric, and the forecasts they judge.

    `about` says what was scored; `notes` what was left out.
    """

    about: str
    scores: dict[str, dict[str, float]]
    notes: list[str] = field(default_factory=list)
    forecasts: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    truth: np.ndarray | None = field(default=None, repr=False)
    panel: Any = field(default=None, repr=False)

    #: the score by which forecasts are ranked
    RANKED_BY = ("mase", "mae")

    def _rank(self, name: str) -> float:
        found = [self.scores[name].get(metric, float("nan")) for metric in self.RANKED_BY]
        return next((v for v in found if np.isfinite(v)), float("inf"))

    @property
    def best_baseline(self) -> str | None:
        """The baseline with the best MASE (MAE where no series has one)."""
        return min((n for n in self.scores if n != "saiki"), key=self._rank, default=None)

    @property
    def beats_baselines(self) -> bool:
        """Whether the model's MASE is below every baseline's."""
        best = self.best_baseline
        return best is not None and self._rank("saiki") < self._rank(best)

    def sentence(self) -> str:
        """Whether the model beat the best baseline, plainly."""
        best = self.best_baseline
        if best is None:
            return "There is no baseline to compare with."
        metric = next((m for m in self.RANKED_BY if np.isfinite(self.scores["saiki"].get(m, np.nan))), "mae")
        ours, theirs = self._rank("saiki"), self._rank(best)
        if not np.isfinite(ours):
            return "There is no known value to judge the model by."
        words = f"{metric.upper()} {ours:.3f} against {theirs:.3f}"
        if self.beats_baselines:
            return f"The model beats the best baseline, {best}: {words} ({1 - ours / theirs:.0%} lower)."
        return f"The model does not beat the best baseline, {best}: {words}. Use the baseline, or train longer."

    def to_json(self) -> dict[str, Any]:
        """Plain data: what was scored, the scores, the notes."""
        clean = {n: {m: (float(v) if np.isfinite(v) else None) for m, v in s.items()} for n, s in self.scores.items()}
        return {"about": self.about, "scores": clean, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Evaluation:
        """The table alone, from plain data."""
        scores = {n: {m: float("nan") if v is None else v for m, v in s.items()} for n, s in data["scores"].items()}
        return cls(data["about"], scores, list(data["notes"]))
