"""Does anything let the future, or the answer, in? Sentences about splits, scalers, covariates, windows and duplicates."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from saiki.data._rows import ranges

if TYPE_CHECKING:
    from saiki.data.columns import Columns
    from saiki.data.labelled import Labelled
    from saiki.data.panel import Panel

#: a correlation as high as this is a copy, whatever its unit
COPY = 0.9995
#: lags that are tried in both directions, and steps and series that are looked at, at most
LAGS, STEPS, SERIES = 60, 200_000, 300
#: steps of a series below which being alike may be chance
FEWEST = 8


def audit_panel(panel: Panel, horizon: int = 1) -> list[str]:
    """What is wrong with series that are to be forecast `horizon` steps ahead."""
    found = _duplicates(
        panel.ids, [panel[k] for k in range(len(panel))], "with --holdout id one of them tells the other"
    )
    reach = max(1, min(LAGS, horizon))
    for role, columns in (("past", panel.past), ("future", panel.future)):
        rows = np.arange(len(panel.y)) if role == "past" else _rows_of_future(panel)
        for name, lag in _copies(columns, rows, panel, reach):
            # a past column may repeat what was; a future one is told for the whole horizon, so also what lies less far back
            if lag > 0 or (role == "future" and lag > -horizon):
                found.append(_copied(name, role, lag))
    return found


def audit_labelled(data: Labelled, fold: np.ndarray | None = None) -> list[str]:
    """What is wrong with series that have one answer each; `fold [series]` is the part that each is in."""
    values = data.source.numbers
    rows = [values[s : s + n].ravel() for s, n in zip(data.starts, data.lengths, strict=True)]
    found = _duplicates(
        data.ids, rows, "copies in training and validation flatter the scores; name what they share with --group"
    )
    if data.group is not None and fold is not None:
        split = sum(len(np.unique(fold[data.group == g])) > 1 for g in np.unique(data.group))
        if split:
            found.append(f"LEAK: {split} groups of {data.layout.group} are in more than one part of the data.")
    if data.answers is None or not len(data):
        return found
    answers = _codes(data.answers.to_list())
    for name, column in zip(data.static.numeric, data.static.numbers.T, strict=True):
        found += _tells(name, "static", _codes(column.tolist()), answers)
    first = data.starts[data.lengths > 0]
    for k, name in enumerate(data.source.numeric):
        column = values[:, k]
        if len(first) == len(data) and np.array_equal(np.repeat(column[first], data.lengths), column, equal_nan=True):
            found += _tells(name, "source", _codes(column[first].tolist()), answers)
    return found


def marks(ids: np.ndarray) -> frozenset[str]:
    """A short mark of every series, from its name alone: a model keeps these, not the names of patients."""
    return frozenset(hashlib.sha256(str(name).encode()).hexdigest()[:12] for name in ids)


def audit_series(seen: frozenset[str], ids: np.ndarray) -> list[str]:
    """Whether series that are scored were in training too, by their marks: right for a forecast of the same patients alone."""
    judged = marks(ids)
    if not (both := len(judged & seen)):
        return []
    return [
        f"{both} of {len(judged)} series that are scored were in training too: this says how well the same ones are forecast "
        "later, not new ones. For new patients, keep theirs out of training, and validate with --holdout id."
    ]


def audit_windows(seen: np.ndarray, judged: np.ndarray) -> list[str]:
    """Windows `[windows, 3]` of series, first step and end (not included): those of training, and the steps that are scored."""
    where = np.lexsort((seen[:, 1], seen[:, 0]))
    seen, count = seen[where], 0
    last = np.full(len(seen), -1)
    for k in range(len(seen)):  # the furthest end of the windows that begin no later, in the same series
        same = k > 0 and seen[k - 1, 0] == seen[k, 0]
        last[k] = max(seen[k, 2], last[k - 1] if same else -1)
    for series, begin, end in judged:
        place = np.searchsorted(seen[:, 0] * (1 << 40) + seen[:, 1], series * (1 << 40) + end, side="left") - 1
        count += bool(place >= 0 and seen[place, 0] == series and last[place] > begin)
    if not count:
        return []
    return [
        f"LEAK: {count} of {len(judged)} windows that are scored overlap windows of training; cut training before them."
    ]


def audit_scaler(mean: np.ndarray, train: np.ndarray, everything: np.ndarray) -> list[str]:
    """Whether a mean `[features]` is that of all rows instead of the training rows `[rows, features]`."""
    inner, outer = np.nanmean(train, axis=0), np.nanmean(everything, axis=0)
    unit = np.nanstd(everything, axis=0) + 1e-300
    apart = np.abs(inner - outer) / unit > 1e-6
    taken = apart & (np.abs(mean - outer) < np.abs(mean - inner) * 1e-3)
    if not taken.any():
        return []
    return [
        f"LEAK: the mean of {int(taken.sum())} of {len(mean)} features is that of all data; fit scalers on training alone."
    ]


def _duplicates(ids: np.ndarray, rows: list[np.ndarray], advice: str) -> list[str]:
    """Series with the values of another one."""
    first: dict[str, object] = {}
    pairs = []
    for name, row in zip(ids, rows, strict=True):
        if np.isfinite(row).sum() < FEWEST or np.nanmin(row) == np.nanmax(row):
            continue
        key = hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()
        if key in first:
            pairs.append((name, first[key]))
        first.setdefault(key, name)
    if not pairs:
        return []
    copy, of = pairs[0]
    return [f"LEAK: {len(pairs)} series repeat another one ({str(copy)!r} is {str(of)!r}); {advice}."]


def _recent(panel: Panel) -> np.ndarray:
    """The steps that are looked at: the last ones of every series, or of some, evenly chosen."""
    some = np.unique(np.linspace(0, len(panel) - 1, min(len(panel), SERIES)).astype(int))
    kept = np.minimum(panel.lengths[some], max(4 * LAGS, STEPS // max(1, len(some))))
    return ranges(panel.starts[some] + panel.lengths[some] - kept, kept)


def _rows_of_future(panel: Panel) -> np.ndarray:
    """The row of `future` that belongs to each step."""
    return ranges(panel.future_starts, panel.lengths)


def _copies(columns: Columns, rows: np.ndarray, panel: Panel, reach: int):
    """Numeric columns, `rows` of them beside the steps, that are the target `lag` steps later, up to unit and level: name and lag.

    Judged by how both change from step to step: levels of many series, and smooth ones, are alike without being copies.
    """
    series, steps, change = np.repeat(np.arange(len(panel)), panel.lengths), _recent(panel), _changes(panel, panel.y)
    for k, name in enumerate(columns.numeric):
        x, alike = _changes(panel, columns.numbers[rows, k]), {}
        for lag in sorted(range(-reach, reach + 1), key=abs):
            other = steps + lag
            inside = (other >= 0) & (other < len(change))
            inside[inside] &= series[other[inside]] == series[steps[inside]]
            alike[lag] = _correlation(x[steps[inside]], change[other[inside]])
        lag = max(alike, key=alike.__getitem__)
        if alike[lag] > COPY:
            yield name, lag


def _changes(panel: Panel, values: np.ndarray) -> np.ndarray:
    """From each step to the next of a series; at its first NaN."""
    found = np.diff(values, prepend=np.nan)
    found[panel.starts[panel.lengths > 0]] = np.nan
    return found


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    seen = np.isfinite(x) & np.isfinite(y)
    if seen.sum() < FEWEST:
        return 0.0
    x, y = x[seen] - x[seen].mean(), y[seen] - y[seen].mean()
    size = np.sqrt((x @ x) * (y @ y))
    return float(abs(x @ y) / size) if size > 0 else 0.0


def _copied(name: str, role: str, lag: int) -> str:
    when = f"{lag} steps later" if lag > 0 else f"{-lag} steps before" if lag < 0 else "at the same step"
    return (
        f"LEAK: the --{role} column {name!r} is the target {when}, up to its unit: it tells what is to be forecast; "
        "leave it out, or shift it to when it was really known."
    )


def _codes(values: list) -> np.ndarray:
    place = {v: k for k, v in enumerate(dict.fromkeys(values))}
    return np.array([place[v] for v in values])


def _tells(name: str, role: str, column: np.ndarray, answers: np.ndarray) -> list[str]:
    """A column of few values, each of which goes with one answer alone."""
    kinds = len(np.unique(column))
    pairs = len({*zip(column.tolist(), answers.tolist(), strict=True)})
    if len(np.unique(answers)) < 2 or kinds < 2 or kinds > len(column) // 4 or pairs != kinds:
        return []
    return [f"LEAK: the {role} column {name!r} tells the answer of every series; was it known before the answer?"]
