"""Scores of labels of steps: accuracy, macro F1, spans where labels are those of spans; tables per label, kind and mistake."""

from __future__ import annotations

import numpy as np

from saiki.data.tagged import Tagged
from saiki.metrics import accuracy, macro_f1, span_f1
from saiki.metrics._spans import counts, spelt, strangers
from saiki.tasks._class_tables import HEADER, as_numbers, confusions, counted, per_class
from saiki.tasks._evaluation import Evaluation, Table

#: mistakes that a report shows, and steps on each side of one
MISTAKES, SIDE = 15, 3


def judged(
    names: list[str],
    answers: dict[str, np.ndarray],
    p: np.ndarray,
    truth: np.ndarray,
    data: Tagged,
    about: str,
    asked: int,
) -> Evaluation:
    """From the codes `[steps]` of every answerer, the model first, and the true ones, -1 where unknown.

    `asked` is how many steps were to be judged.
    Spans are taken from stretches of known labels; p `[steps, labels]` are the model's probabilities.
    """
    known = np.flatnonzero(truth >= 0)
    one_hot = np.eye(len(names))
    whole = _whole(truth, data.lengths)
    scores, kinds = {}, {}
    for name, codes in answers.items():
        chosen = one_hot[codes[known]]
        scores[name] = {
            "accuracy": accuracy.score(truth[known], chosen),
            "macro_f1": macro_f1.score(truth[known], chosen),
        }
        if spelt(names) and whole:
            pairs = [[[names[k] for k in side[start:end]] for start, end in whole] for side in (truth, codes)]
            scores[name]["span_f1"] = span_f1.score(*pairs)
            kinds = kinds or counts(*pairs)
    labels = per_class(names, truth[known], answers["saiki"][known])
    tables = [*_spans(kinds), labels, *confusions(names, truth[known], answers["saiki"][known])]
    tables += _mistakes(names, truth, answers["saiki"], p, data)
    details = {"labels": as_numbers(labels), **({"spans": as_numbers(_spans(kinds)[0])} if kinds else {})}
    left = asked - len(known)
    notes = [f"{left:,} steps without a label are left out."] if left else []
    if others := strangers(names):
        shown = ", ".join(map(repr, others[:3])) + (", …" if len(others) > 3 else "")
        notes.append(f"No span F1: the other labels are those of spans (B-…, I-…), but not {shown}.")
    ranked = ("span_f1", "accuracy") if kinds else ("accuracy",)
    return Evaluation(about, scores, notes, ranked_by=ranked, tables=tables, details=details)


def _whole(truth: np.ndarray, lengths: np.ndarray) -> list[tuple[int, int]]:
    """First step and end of every stretch of known labels within a series."""
    series = np.repeat(np.arange(len(lengths)), lengths)
    known = np.flatnonzero(truth >= 0)
    if not len(known):
        return []
    breaks = np.flatnonzero((np.diff(known) > 1) | (np.diff(series[known]) > 0)) + 1
    parts = np.split(known, breaks)
    return [(int(part[0]), int(part[-1]) + 1) for part in parts]


def _spans(kinds: dict[str, tuple[int, int, int]]) -> list[Table]:
    rows = [counted(kind, *found) for kind, found in kinds.items()]
    return [Table("Spans", ["kind", *HEADER], rows, "Whole spans: kind, first and last step.")] if kinds else []


def _mistakes(names: list[str], truth: np.ndarray, codes: np.ndarray, p: np.ndarray, data: Tagged) -> list[Table]:
    """The most confident ones, with what stands around them."""
    wrong = np.flatnonzero((truth >= 0) & (codes != truth))
    wrong = wrong[np.argsort(-p[wrong, codes[wrong]], kind="stable")][:MISTAKES]
    if not len(wrong):
        return []
    series = np.repeat(np.arange(len(data)), data.lengths)
    rows = []
    for k in wrong:
        start, number = int(data.series.starts[series[k]]), str(data.series.ids[series[k]])
        sure = [f"{p[k, codes[k]]:.3f}", f"{p[k, truth[k]]:.3f}"]
        rows.append(
            [number, str(k - start + 1), _context(data, int(k), start), names[truth[k]], names[codes[k]], *sure]
        )
    head = [
        data.layout.id or "series",
        "step",
        "what stands there",
        "true",
        "answered",
        "probability",
        "of the true one",
    ]
    return [Table("The most confident mistakes", head, rows, "Look at these first: some labels may be wrong.")]


def _context(data: Tagged, step: int, start: int) -> str:
    if data.words is None:
        return ", ".join(f"{v:.4g}" for v in data.series.source.numbers[step][:6])
    end = start + int(data.lengths[np.searchsorted(data.series.starts, start)])
    words = data.words
    before, after = words[max(start, step - SIDE) : step], words[step + 1 : min(end, step + SIDE + 1)]
    return " ".join([*before, f"[{words[step]}]", *after])
