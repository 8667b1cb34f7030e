"""The report: one HTML file with pictures and styles inside, that needs no network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import saiki
from saiki.metrics import better
from saiki.reporting import charts
from saiki.reporting.outlook import chosen, outlook
from saiki.reporting.plot import curve_svg, forecast_svg, span
from saiki.reporting.scores import label, number
from saiki.storage import replacing_file

if TYPE_CHECKING:
    from saiki.model import Model
    from saiki.tasks._evaluation import Evaluation


def write_report(path: Path, model: Model, evaluation: Evaluation, title: str) -> None:
    """Write the page; complete or not at all."""
    path = Path(path)
    text = render(model, evaluation, title)
    with replacing_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def render(model: Model, evaluation: Evaluation, title: str) -> str:
    """The page as text. Everything that comes from data is escaped; only our own SVG is not."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    pictures = [outlook(evaluation, series) for series in chosen(evaluation)] if evaluation.forecasts else []
    found = model.task.insight(model.network, evaluation)
    behind = charts.pictures(evaluation.details, evaluation.best_baseline, found)
    curve = model.run.get("curve") or []
    loader = PackageLoader("saiki", "reporting")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.get_template("page.html").render(
        title=title,
        version=saiki.__version__,
        about=evaluation.about,
        beats=evaluation.beats_baselines,
        sentence=evaluation.sentence(),
        scores=score_table(evaluation.scores),
        pictures=[(p.name, span(p.ahead), Markup(forecast_svg(p))) for p in pictures],
        behind=[(name, says, Markup(picture)) for name, says, picture in behind],
        passages=model.task.passages(model.network, evaluation),
        tables=evaluation.tables,
        notes=evaluation.notes,
        understood=model.understood,
        facts=model.facts(),
        curve=Markup(curve_svg(curve)) if len(curve) > 1 else None,
        run=model.run,
        validated=model.validation is not None,
    )


def score_table(scores: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Header and rows; each value with whether it is the best of its column (coverage has no best: its level is right)."""
    metrics = list(dict.fromkeys(metric for of in scores.values() for metric in of))
    finite = {m: [s[m] for s in scores.values() if math.isfinite(s.get(m, math.nan))] for m in metrics}
    choose = {"lower": min, "higher": max}
    best = {m: choose[better(m)](v) for m, v in finite.items() if v and better(m) in choose}
    rows = [(n, [(number(s.get(m)), s.get(m) == best.get(m, math.nan)) for m in metrics]) for n, s in scores.items()]
    ways = {"higher": " ↑", "level": " →"}
    return {"header": [label(m) + ways.get(better(m), "") for m in metrics], "rows": rows}
