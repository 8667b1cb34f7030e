"""Pictures of what stands behind forecasts: errors by step and cutoff, intervals that hold what they say, what moved a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.metrics import label
from saiki.reporting.plot import COLOURS, _figure, _legend, _svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from saiki.tasks._insight import Insight

#: columns shown at most
MOST = 12


def errors_figure(rows: list[dict[str, Any]], metric: str, best: str | None) -> Figure:
    """The error of the model and of the best baseline, by the first column of the rows: step ahead, or cutoff."""
    figure, axes = _figure(8.4, 2.6)
    word = next(iter(rows[0]))
    names = [str(row[word])[:16].replace("T00:00", "").replace("T", " ") for row in rows]
    places = np.arange(len(rows))
    if best:
        axes.plot(places, [row[best] for row in rows], color=COLOURS["baseline"], lw=1.4, ls=(0, (4, 2)), label=best)
    axes.plot(places, [row["saiki"] for row in rows], color=COLOURS["forecast"], lw=2, marker="o", ms=3, label="saiki")
    shown = np.unique(
        np.linspace(0, len(rows) - 1, min(len(rows), 12 if len(names[-1]) < 4 else 4)).round().astype(int)
    )
    axes.set_xticks(places[shown], [names[k] for k in shown])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(
        {"step": "steps ahead", "cutoff": "last step seen"}.get(word, word), color=COLOURS["quiet"], fontsize=9
    )
    axes.set_ylabel(label(metric), color=COLOURS["quiet"], fontsize=9)
    _legend(axes)
    return figure


def reliability_figure(coverage: dict[float, float]) -> Figure:
    """The share of the truth inside intervals against the level they were asked for; on the line they hold what they say."""
    figure, axes = _figure(4.2, 3.6)
    axes.plot([0, 1], [0, 1], color=COLOURS["quiet"], lw=1, ls=(0, (2, 2)), label="as asked")
    levels = [level / 100 for level in coverage]
    axes.plot(levels, list(coverage.values()), color=COLOURS["forecast"], lw=2, marker="o", ms=4, label="saiki")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("level asked for", color=COLOURS["quiet"], fontsize=9)
    axes.set_ylabel("share of the truth inside", color=COLOURS["quiet"], fontsize=9)
    _legend(axes)
    return figure


def lags_figure(lags: np.ndarray) -> Figure:
    """How far each step of the window moved the forecast; 1 is the last step seen."""
    figure, axes = _figure(8.4, 2.4)
    back = np.arange(len(lags), 0, -1)
    axes.fill_between(back, lags, color=COLOURS["forecast"], alpha=0.25, lw=0)
    axes.plot(back, lags, color=COLOURS["forecast"], lw=1.6)
    axes.set_xlim(max(len(lags), 2), 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("steps back", color=COLOURS["quiet"], fontsize=9)
    return figure


def columns_figure(columns: dict[str, float]) -> Figure:
    """The same by column, the largest first."""
    largest = sorted(columns.items(), key=lambda item: item[1])[-MOST:]
    figure, axes = _figure(8.4, 0.8 + 0.3 * len(largest))
    axes.barh(
        [name.replace("$", r"\$") for name, _ in largest],
        [v for _, v in largest],
        color=COLOURS["forecast"],
        height=0.6,
    )
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=COLOURS["line"], lw=0.8)
    return figure


def pictures(details: dict[str, Any], best: str | None, found: Insight | None) -> list[tuple[str, str, str]]:
    """Title, a sentence, and SVG, of what there is to show."""
    shown: list[tuple[str, str, Figure]] = []
    metric = details.get("metric", "mase")
    for key, title in (("by_horizon", "Error by step ahead"), ("by_cutoff", "Error by cutoff of the back-test")):
        if len(details.get(key, ())) > 1:
            shown.append((title, "Lower is better.", errors_figure(details[key], metric, best)))
    if found is not None and found.coverage:
        says = "Above the line intervals are wider than they need be, below it they promise too much."
        shown.append(("Reliability of intervals", says, reliability_figure(found.coverage)))
    if found is not None:
        says = "Integrated gradients: how far each step of the window moved the mean of the horizon, in units of the window."
        shown.append(("What forecasts were made from, by lag", says, lags_figure(found.lags)))
        if len(found.columns) > 1:
            says = "The same, all steps of a column together."
            shown.append(("What forecasts were made from, by column", says, columns_figure(found.columns)))
    return [(title, says, _svg(figure, title)) for title, says, figure in shown]
