"""Deaths in intensive care, by five folds: one command per row on irregular, mostly missing measurements.

    python benchmarks/physionet.py --data DIR [--only gru gru_d] [--folds 0 1 2 3 4] [--report]

DIR/medical/physionet2012-a holds set A of the PhysioNet challenge of 2012: a text file per stay (time, parameter, value) and the
outcomes. They are laid out as one table, a row per stay and moment; nothing is resampled or filled. Each row is `saiki train`, then
`saiki evaluate` on the fold left out, as processes of their own; the folds are stratified, and training never sees the fifth part.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import saiki

from saiki.data.folds import folds

PAGE = ROOT / "docs" / "quality_physionet.md"
FOLDS = 5
STATIC = ["Age", "Gender", "Height", "ICUType"]
COLUMNS = ["--id", "RecordID", "--time", "minute", "--target", "died", "--static", *STATIC]
COMMANDS: dict[str, list[str]] = {
    "gru": ["--minutes", "3"],
    "gru_d": ["--cell", "gru_d", "--no-bidirectional", "--layers", "1", "--minutes", "3"],
}
#: what a score depends on
CODE = [
    "src/saiki/baselines/logistic_summary.py", "src/saiki/baselines/_summary.py", "src/saiki/tasks/_baseline_share.py",
    "src/saiki/tasks/_labelling.py", "src/saiki/tasks/_label_problem.py", "src/saiki/tasks/_classifying.py",
    "src/saiki/modalities/_channels.py", "src/saiki/data/labelled.py", "src/saiki/network/labeller.py",
    "src/saiki/cells/gru.py", "src/saiki/cells/gru_d.py", "src/saiki/training/loop.py",
]  # fmt: skip


def stays(folder: Path) -> pl.DataFrame:
    """The long table: RecordID, minute, every parameter (null where it was not measured), and the outcome."""
    outcome = pl.read_csv(folder / "Outcomes-a.txt").select("RecordID", died="In-hospital_death")
    parts = []
    with tarfile.open(folder / "set-a.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".txt") else None
            if file is not None:
                rows = pl.read_csv(file.read(), schema={"Time": pl.String, "Parameter": pl.String, "Value": pl.Float64})
                parts.append(rows.with_columns(RecordID=pl.lit(int(Path(member.name).stem))))
    rows = pl.concat(parts).filter(~pl.col("Parameter").is_in(["RecordID", ""]))
    clock = pl.col("Time").str.split(":").list
    rows = rows.with_columns(minute=clock.get(0).cast(pl.Int64) * 60 + clock.get(1).cast(pl.Int64))
    known = rows.filter(pl.col("Value") >= 0)  # -1 says unknown
    table = known.pivot("Parameter", index=["RecordID", "minute"], values="Value", aggregate_function="mean")
    told = known.filter(pl.col("Parameter").is_in(STATIC))
    static = told.pivot("Parameter", index="RecordID", values="Value", aggregate_function="first")
    moments = rows.select("RecordID", "minute").unique()
    table = moments.join(table.drop(STATIC), on=["RecordID", "minute"], how="left")
    return table.join(static, on="RecordID", how="left").join(outcome, on="RecordID").sort("RecordID", "minute")


def measure(table: pl.DataFrame, options: list[str], fold: int) -> dict[str, Any]:
    """One row: train on four fifths, score on the fifth that is left."""
    every = table.group_by("RecordID", maintain_order=True).agg(pl.col("died").first())
    place = folds(every["died"].to_numpy(), FOLDS, seed=0)
    out = every["RecordID"].filter(pl.Series(place == fold))
    with tempfile.TemporaryDirectory() as folder:
        train, test, model = (f"{folder}/{name}" for name in ("train.parquet", "test.parquet", "model"))
        table.filter(~pl.col("RecordID").is_in(out.implode())).write_parquet(train)
        table.filter(pl.col("RecordID").is_in(out.implode())).write_parquet(test)
        began = time.perf_counter()
        saiki("train", "classify", train, *COLUMNS, *options, "--seed", str(fold), "--out", model, "--quiet")
        seconds = time.perf_counter() - began
        found = json.loads(saiki("evaluate", model, test, "--json"))
        scores = found["scores"] | (
            {"network alone": found["details"]["alone"]} if "alone" in found.get("details", {}) else {}
        )
        steps = json.loads(Path(model, "config.json").read_text())["run"]["step"]
    return {"fold": fold, "seconds": round(seconds, 1), "steps": steps, "scores": scores, **about()}


def page(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation."""
    lines = [
        "# Deaths in intensive care",
        "",
        "Made by `python benchmarks/physionet.py --data DIR`: 4,000 stays of 48 hours (set A of",
    ]
    lines += [
        "the PhysioNet challenge of 2012), five stratified folds, every stay scored once. AUC and average precision:"
    ]
    lines += [
        "mean over the folds ± their standard deviation; other scores are means. saiki is the network and the linear model on"
    ]
    lines += ["summaries together, as held-out stays ask for; `network alone` is without the latter.", ""]
    lines += ["| row | AUC | average precision | log loss | minutes | folds |", "|---|---:|---:|---:|---:|---:|"]
    for name in COMMANDS:
        found = [r for r in rows if r["row"] == name]
        for who in found[0]["scores"] if found else []:
            of = lambda m, found=found, who=who: [r["scores"][who][m] for r in found]  # noqa: E731
            spread = lambda v: f"{np.mean(v):.4f} ± {np.std(v):.4f}"  # noqa: E731
            minutes = f"{statistics.mean(r['seconds'] for r in found) / 60:.1f}" if who == "saiki" else ""
            label = f"saiki, {name}" if who == "saiki" else f"{who} (beside {name})"
            cells = [
                label,
                spread(of("auc")),
                spread(of("average_precision")),
                ""
                if who == "network alone"
                else f"{np.mean(of('log_loss')):.4f}",  # its temperature is that of both together
                minutes,
            ]
            lines.append("| " + " | ".join([*cells, str(len(found))]) + " |")
    lines += ["", "Commands:", "", "```"]
    lines += [f"saiki train classify STAYS {' '.join(COLUMNS + options)}" for options in COMMANDS.values()]
    lines += [
        "```",
        "",
        "From the literature, by memory, on folds of their own: GRU-D 0.8424 ± 0.012, GRU-simple 0.8226, GRU-forward",
    ]
    lines += ["0.8195, GRU-mean 0.8162 (Che et al. 2018).", ""]
    for name in COMMANDS:
        where = {
            f"{r['machine']}, {r['threads']} thread(s), torch {r['torch']}, commit {r['commit']}"
            for r in rows
            if r["row"] == name
        }
        lines += [f"{name}: {'; '.join(sorted(where))}", ""] if where else []
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument("--folds", nargs="*", type=int, default=list(range(FOLDS)))
    parser.add_argument("--report", action="store_true", help="only write the page from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("physionet"), code_hash(*CODE)
    if not given.report:
        if given.data is None:
            parser.error("--data DIR is needed to measure")
        folder = given.data / "medical" / "physionet2012-a"
        hashed, table = file_hash(folder / "set-a.tar.xz", folder / "Outcomes-a.txt"), stays(folder)
        for fold in given.folds:
            for name in given.only:
                key = f"{name} {' '.join(COMMANDS[name])} fold={fold} data={hashed} code={code}"
                if key not in rows:
                    rows.put(key, {"row": name} | measure(table, COMMANDS[name], fold))
                print(name, fold, {w: round(s["auc"], 4) for w, s in rows.rows[key]["scores"].items()}, flush=True)
    newest = {}
    for key, row in rows.rows.items():
        if key.endswith(f"code={code}") or (row["row"], row["fold"]) not in newest:
            newest[row["row"], row["fold"]] = row
    PAGE.write_text(page(list(newest.values())))


if __name__ == "__main__":
    main()
