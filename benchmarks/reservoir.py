"""Echo state networks measured: speed and memory beside ReservoirPy, Mackey-Glass, NARMA-10, memory capacity.

    python benchmarks/reservoir.py [--data DIR] [--only NAME …] [--report]

Rows stand in benchmarks/results/reservoir.json under command, data and code; docs/reservoirs.md shows them. With --data, the
folder of the public data sets, the published Mackey-Glass and NARMA-10 files are measured beside generated series. Options were
chosen on validation parts (`--choose NAME` prints what was tried); test parts are looked at once, here.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _reservoir as measures
import numpy as np
from _rows import ROOT, Rows, about, code_hash, file_hash

PAGE = ROOT / "docs" / "reservoirs.md"
CODE = ["native", "src/saiki/reservoir", "src/saiki/cells/echo_state.py", "src/saiki/kernels/reservoir.py"]
SIZES = ((100, 0.1), (500, 0.02), (1000, 0.01), (500, 0.1), (1000, 0.1))
OPTIONS: dict[str, dict[str, Any]] = {
    "free-run": {"spectral_radius": 0.95, "input_scale": 1.0, "bias_scale": 0.2, "ridge": 1e-14},
    "one-step": {"spectral_radius": 0.6, "input_scale": 0.2, "bias_scale": 0.5},
    "narma": {"spectral_radius": 0.8, "input_scale": 0.2, "bias_scale": 0.2},
}
SEEDS = range(measures.RESERVOIRS)
FILES = {"mackey-glass": "esn/mackey-glass-17/mg17.csv", "narma": "esn/narma10/narma10.csv"}


def mackey_glass(data: Path | None) -> dict[str, Any]:
    series = measures.mackey_glass(10_000) if data is None else _file(data, "mackey-glass")[:, 0]
    return _several([measures.one_step(series, OPTIONS["one-step"], seed) for seed in SEEDS])


def narma(data: Path | None, units: int) -> dict[str, Any]:
    u, y = measures.narma(4200) if data is None else _file(data, "narma").T
    if data is not None:
        u, y = u[:-1], y[1:]  # the file has the value that an input leads to one row later
    return _several([measures.narma_errors(u, y, OPTIONS["narma"], seed, units) for seed in SEEDS])


def _file(data: Path, name: str) -> np.ndarray:
    path = data / FILES[name]
    return np.loadtxt(path, delimiter=",", skiprows=int(not path.read_text()[0].isdigit()))


def _several(found: list[dict[str, float]]) -> dict[str, Any]:
    """Of every answerer the median over reservoirs, and their range."""
    return {name: _spread([row[name] for row in found]) for name in found[0]}


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def tasks(data: Path | None) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every row by name."""
    rows: dict[str, Callable[[], dict[str, Any]]] = {}
    for units, density in SIZES:
        rows[f"speed-{units}-{density:g}"] = lambda units=units, density=density: measures.speed(units, density)
    for steps in (10_000, 100_000, 1_000_000):
        rows[f"memory-saiki-{steps}"] = lambda steps=steps: measures.memory("saiki", steps)
    for steps in (10_000, 100_000):
        rows[f"memory-reservoirpy-{steps}"] = lambda steps=steps: measures.memory("reservoirpy", steps)
    rows["free-run"] = lambda: {"log10 NRMSE84": _spread(measures.free_runs(OPTIONS["free-run"], "test", SEEDS))}
    for place, where in (("", None), *([("-file", data)] if data else [])):
        rows[f"one-step{place}"] = lambda where=where: mackey_glass(where)
        for units in (100, 200):
            rows[f"narma-{units}{place}"] = lambda where=where, units=units: narma(where, units)
    for kind in ("random", "ring"):
        rows[f"capacity-{kind}"] = lambda kind=kind: {
            "memory capacity": _spread([measures.capacity(kind, seed) for seed in SEEDS])
        }
    return rows


def choose(name: str) -> None:
    """Print the validation figures of a grid of options: other reservoirs, and another series or part of it."""
    for radius, scale, other in itertools.product((0.6, 0.8, 0.95), (0.2, 0.5, 1.0), range(3)):
        options: dict[str, Any] = {"spectral_radius": radius, "input_scale": scale}
        if name == "free-run":
            options |= {"bias_scale": 0.2, "ridge": (None, 1e-12, 1e-9)[other]}
            found = measures.free_runs(options, "valid", range(100, 103), 300)
        elif name == "one-step":
            options |= {"bias_scale": (0.0, 0.2, 0.5)[other]}
            series = measures.mackey_glass(10_000, seed=1)
            found = [measures.one_step(series, options, seed)["echo state"] for seed in (100, 101, 102)]
        else:
            options |= {"bias_scale": (0.0, 0.2, 0.5)[other]}
            u, y = measures.narma(4200, seed=1)
            found = [measures.narma_errors(u, y, options, seed, 100)["echo state"] for seed in (100, 101, 102)]
        print(f"{name} {options}: {statistics.median(found):.4g}", flush=True)


def measure(rows: Rows, name: str, run: Callable[[], dict[str, Any]], data: Path | None) -> None:
    """One row, unless it is there already."""
    command = f"python benchmarks/reservoir.py --only {name}"
    files = [data / path for path in FILES.values()] if data and name.endswith("-file") else []
    options = next((chosen for kind, chosen in OPTIONS.items() if name.startswith(kind)), {})
    key = f"{command} | {options} | {file_hash(*files)} | {_code()}"
    if key in rows:
        return
    row = {"name": name, **run(), **about()}
    rows.rows = Rows("reservoir").rows  # others may have written meanwhile
    rows.put(key, row)
    print(row, flush=True)


def page(found: dict[str, dict[str, Any]]) -> str:
    """The page of the documentation, from the rows there are."""
    by_name = {row["name"]: row for row in found.values()}
    lines = [
        "# Reservoirs, measured",
        "",
        "Made by `python benchmarks/reservoir.py --data DIR`; one row alone: `--only NAME`. A figure that was asked for stands",
        "beside what was reached, misses included; what is not measured is named at the end. Medians of ten reservoirs with their",
        "range, unless said otherwise.",
        "",
        *_speed(by_name),
        *_memory(by_name),
        *_answers(by_name),
    ]
    machines = sorted(
        {f"{r['machine']}, torch {r['torch']}, {r['threads']} threads, commit {r['commit']}" for r in found.values()}
    )
    return "\n".join([*lines, f"Measured on: {'; '.join(machines)}.", "", *_state(found), ""])


def _state(found: dict[str, dict[str, Any]]) -> list[str]:
    """Which rows are of other sources than those of now, and which are missing."""
    code = _code()
    measured = [row["name"] for row in found.values()]
    earlier = [row["name"] for key, row in found.items() if not key.endswith(code)]
    missing = [name for name in tasks(Path()) if name not in measured]
    says = {"Measured with earlier sources than those of this page": earlier, "Not measured": missing}
    lines = [f"- {what}: {', '.join(f'`{name}`' for name in names)}." for what, names in says.items() if names]
    return [part for line in lines for part in textwrap.wrap(line, 120, subsequent_indent="  ", break_on_hyphens=False)]


def _code() -> str:
    return code_hash(*CODE, "benchmarks/_reservoir.py")


def _speed(rows: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "## Speed",
        "",
        "Against ReservoirPy 0.4.2 with the same matrices (its recurrent one sparse), 10,000 steps, one input, one strength",
        "of the ridge, medians of five in turn; the answers are compared first. Drawing the matrices is not timed. Asked: five",
        "times as fast. Saiki factorises the states (QR); ReservoirPy forms the normal equations, which take less arithmetic",
        "and lose half of the digits, and keeps all states in memory. The machine was not idle: figures are rough, and low.",
        "",
        "| units | density | fit, s | ReservoirPy | times as fast | run, s | ReservoirPy | times as fast | answers apart |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if name.startswith("speed-"):
            cells = [f"{row['units']}", f"{row['density']:g}"]
            for what in ("fit", "run"):
                ours, theirs = row[f"{what} saiki"], row[f"{what} reservoirpy"]
                cells += [f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.1f}"]
            lines.append(f"| {' | '.join(cells)} | {row['apart']:.0e} |")
    return [*lines, ""]


def _memory(rows: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "## Memory",
        "",
        "The peak of a process while it fits 200 units, above what it held just before. Asked: that it does not grow with the",
        "number of steps.",
        "",
        "| library | steps | MB |",
        "|---|---|---|",
    ]
    for name, row in rows.items():
        if name.startswith("memory-"):
            lines.append(f"| {row['library']} | {row['steps']:,} | {row['megabytes']:.0f} |")
    return [*lines, ""]


def _answers(rows: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["## Known answers", "", "| row | what | answerer | median | range | asked |", "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        about_it, asked = next(((a, f) for n, (a, f) in ABOUT.items() if name.startswith(n)), ("", ""))
        where = ", the published file" if name.endswith("-file") else ""
        for answerer, found in row.items():
            if isinstance(found, dict) and about_it:
                spread = f"{found['least']:.4g} to {found['most']:.4g}" if found["least"] != found["most"] else ""
                first = answerer in ("echo state", "log10 NRMSE84", "memory capacity")
                cells = [f"`{name}`" if first else "", about_it + where if first else "", answerer]
                lines.append(f"| {' | '.join(cells)} | {found['median']:.4g} | {spread} | {asked if first else ''} |")
    return [*lines, "", *PROTOCOL, ""]


ABOUT = {
    "free-run": ("Mackey-Glass τ = 17, 84 free-running steps, 1000 units", "at most -4.0"),
    "one-step": ("Mackey-Glass τ = 17, RMSE of one step, 100 units", "at most 0.002"),
    "narma-100": ("NARMA-10, NMSE, 100 units", ""),
    "narma-200": ("NARMA-10, NMSE, 200 units", ""),
    "capacity-random": ("memory capacity, linear reservoir of 100 units, random", "at most 100"),
    "capacity-ring": ("memory capacity, linear reservoir of 100 units, a ring", "near 100"),
}
PROTOCOL = [
    "Mackey-Glass is generated by Euler steps of 0.1 and read once per unit of time.",
    "",
    "- Free runs: values pass tanh(x - 1); 3000 steps to learn from, the first 1000 of them washout; then 50 places of the",
    "  test part, 100 steps apart, each after teacher forcing from 1000 steps before the first. NRMSE84 is the root of the",
    "  mean squared error 84 steps later over the variance of the series.",
    "- One step: 5000 steps to learn from, 1000 of washout, the rest of 10,000 for the test, values as they are.",
    "- NARMA-10: 4200 steps, half to learn from, a washout of 200 in either half.",
    "- Memory capacity counts lags from 0 on, of which no linear reservoir of N units has more than N; r² is taken on",
    "  steps that the readout was not fitted to. The ring has 0.95, its radius, on every connection.",
    "",
    "The strength of the ridge is found by generalised cross-validation, unless the options say otherwise. Options were chosen",
    "on other reservoirs, and on another series or part of it (`--choose NAME` prints what was tried), never on these:",
    "",
    *(f"- `{kind}`: `{options}`" for kind, options in OPTIONS.items()),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--only", nargs="+", help="names of rows; all that begin so")
    parser.add_argument("--choose", choices=("free-run", "one-step", "narma"), help="try options on validation parts")
    parser.add_argument("--report", action="store_true", help="only write the page from the rows that are there")
    given = parser.parse_args()
    if given.choose:
        return choose(given.choose)
    for name, run in tasks(given.data).items():
        if not given.report and (given.only is None or name.startswith(tuple(given.only))):
            measure(Rows("reservoir"), name, run, given.data)
    rows = Rows("reservoir").rows
    order = list(tasks(Path()))
    PAGE.write_text(page(dict(sorted(rows.items(), key=lambda item: order.index(item[1]["name"])))), encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
