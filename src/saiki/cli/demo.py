"""Forecast a year of CO2 at Mauna Loa, beside the baselines.

Trains on 42 years of weekly measurements (they ship with statsmodels, gaps included), scores the model on a year that
it has not seen, and writes a picture, a report, the model and the data to the folder saiki-demo. It takes less than a
minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saiki.cli._console import Console, aligned, table

if TYPE_CHECKING:
    import polars as pl

#: weeks that are held out, and forecast
HORIZON = 52
#: a fixed number of steps, not a time, and one thread: the same answer on every machine of a kind, busy or not
OPTIONS = {"horizon": HORIZON, "level": (80, 95), "steps": 300, "batch": 32, "seed": 1, "threads": 1}

FILES = {
    "forecast.png": "the forecast",
    "report.html": "scores, forecast, data and learning curve on one page",
    "model": "the trained model",
    "co2.csv": "the data, to see the format",
}


def command(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("saiki-demo"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    from saiki.data.frames import write_frame
    from saiki.errors import OptionError

    console = Console(quiet)
    if not (out / "model" / "config.json").exists() and (there := [name for name in FILES if (out / name).exists()]):
        raise OptionError(f"{out} holds {there[0]}, which no demo has made; choose another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    whole = co2()
    model, found = _work(whole, out / "model", console)
    write_frame(whole, out / "co2.csv")
    _write(out, model, found)
    lines = ["", f"Scores on {found.about}, which training has not seen:", *table(_rows(found), "saiki")]
    lines += ["", found.sentence(), "", "Written:", *aligned((str(out / name), what) for name, what in FILES.items())]
    console.answer([*lines, "", *_next(out)])


def co2() -> pl.DataFrame:
    """The weeks from 1958 to 2001 as columns ds and y; statsmodels' file is read without importing statsmodels."""
    import importlib.util

    import polars as pl

    found = importlib.util.find_spec("statsmodels")
    assert found is not None, "statsmodels is a dependency"
    assert found.submodule_search_locations, "statsmodels is a package"
    path = Path(found.submodule_search_locations[0]) / "datasets" / "co2" / "co2.csv"
    raw = pl.read_csv(path, schema={"date": pl.String, "co2": pl.Float64})
    return raw.select(ds=pl.col("date").str.to_date("%Y%m%d"), y=pl.col("co2"))


def _work(whole: pl.DataFrame, folder: Path, console: Console) -> tuple[Any, Any]:
    """A model of all but the last year, and its scores on that year."""
    import shutil

    import saiki
    from saiki.cli import _progress

    console.say("Weekly CO2 at Mauna Loa, in parts per million; the last year is kept away from training:")
    shutil.rmtree(folder.with_name(f"{folder.name}.training"), ignore_errors=True)
    seen = whole.head(len(whole) - HORIZON)
    with _progress.shown(console) as hooks:
        model = saiki.train("forecast", seen, out=folder, force=True, hooks=hooks, say=console.pairs, **OPTIONS)
    return model, model.evaluate(whole)


def _write(out: Path, model: Any, found: Any) -> None:
    from saiki.reporting.outlook import outlook
    from saiki.reporting.page import write_report
    from saiki.reporting.plot import forecast_plot

    title = "Weekly CO2 at Mauna Loa, a year ahead"
    forecast_plot(out / "forecast.png", outlook(found, 0), f"{title} (parts per million)")
    write_report(out / "report.html", model, found, title)


def _rows(found: Any) -> list[list[str]]:
    from saiki.reporting.scores import rows

    return rows(found.scores)


def _next(out: Path) -> list[str]:
    return [
        "Next, a forecast of the year after the data:",
        f"  saiki predict {out / 'model'} {out / 'co2.csv'}",
        "and your own file, one row per series and time (columns unique_id, ds and y, or name yours):",
        "  saiki train forecast FILE.csv --id STORE --time DATE --target SALES --horizon 28 --minutes 2",
    ]
