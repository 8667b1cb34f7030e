"""Pictures of forecasts and learning curves: PNG files, and SVG that takes the colours of the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.reporting.outlook import Outlook
from saiki.storage import replacing_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: colour on white paper -> variable of the page that replaces it in SVG
COLOURS = {
    "ink": "#1f2430",
    "quiet": "#6b7280",
    "line": "#e3e6eb",
    "forecast": "#2456c7",
    "baseline": "#b4690e",
}


def forecast_plot(path: Path, picture: Outlook, title: str = "") -> None:
    """Write a PNG; complete or not at all."""
    figure, axes = _figure(9, 4.2)
    _draw_forecast(axes, picture)
    axes.set_title(title or picture.name, loc="left", color=COLOURS["ink"], fontsize=12, pad=12)
    _write(figure, path)


def forecast_svg(picture: Outlook) -> str:
    """The same picture as SVG for a page."""
    figure, axes = _figure(8.4, 3.4)
    _draw_forecast(axes, picture)
    return _svg(figure, picture.name)


def curve_svg(curve: Sequence[dict[str, float]]) -> str:
    """The learning curve: training loss and validation score by step."""
    figure, axes = _figure(8.4, 2.4)
    steps = [row["step"] for row in curve]
    axes.plot(steps, [row["loss"] for row in curve], color=COLOURS["quiet"], lw=1.4, label="training loss")
    axes.plot(steps, [row["score"] for row in curve], color=COLOURS["forecast"], lw=1.8, label="validation score")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("step", color=COLOURS["quiet"], fontsize=9)
    _legend(axes)
    return _svg(figure, "learning curve")


def _draw_forecast(axes: Axes, p: Outlook) -> None:
    for number, (level, (low, high)) in enumerate(p.bands.items()):
        shade = 0.14 + 0.10 * number
        axes.fill_between(p.ahead, low, high, color=COLOURS["forecast"], alpha=shade, lw=0, label=f"{level} % interval")
    axes.plot(p.times, p.history, color=COLOURS["quiet"], lw=1.2, label="history")
    axes.plot(p.ahead, p.truth, color=COLOURS["ink"], lw=1.5, label="truth")
    if p.baseline is not None:
        name = f"best baseline ({p.baseline_name})"
        axes.plot(p.ahead, p.baseline, color=COLOURS["baseline"], lw=1.3, ls=(0, (4, 2)), label=name)
    axes.plot(p.ahead, p.forecast, color=COLOURS["forecast"], lw=2, label="saiki")
    if len(p.ahead):
        axes.axvline(p.ahead[0], color=COLOURS["quiet"], lw=0.8, ls=":")
    axes.margins(x=0.01)
    _legend(axes)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure, in inches, without pyplot: no global state, no window."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(COLOURS["line"])
    axes.grid(axis="y", color=COLOURS["line"], lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=COLOURS["quiet"], labelsize=9, length=0)
    axes.patch.set_visible(False)
    return figure, axes


def _legend(axes: Axes) -> None:
    """Below the picture, in as many columns as there are lines."""
    figure = axes.figure
    handles, labels = axes.get_legend_handles_labels()
    style = {"frameon": False, "fontsize": 9, "labelcolor": COLOURS["quiet"], "handlelength": 1.6, "columnspacing": 1.4}
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), **style)  # type: ignore[union-attr]


def _write(figure: Figure, path: Path) -> None:
    with replacing_file(path) as beside:
        figure.savefig(beside, format="png", dpi=150, facecolor="white")


def _svg(figure: Figure, salt: str) -> str:
    """Inline SVG as wide as its place, in the page's colours and letters."""
    import matplotlib

    figure.patch.set_visible(False)
    out = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": salt}
    with matplotlib.rc_context(settings):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", text)
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    return text


def span(values: np.ndarray) -> str:
    """`2000-01-08 to 2000-12-30`: the first and last time."""
    return f"{str(values[0])[:16].replace('T00:00', '')} to {str(values[-1])[:16].replace('T00:00', '')}"
