"""Texts into classes, as a user would do it with the defaults: accuracy beside the bag of words and published networks.

    python benchmarks/documents.py --data DIR [--only mr sms] [--seeds 1 2 3] [--report]

DIR holds the public data sets. Each row is `saiki train classify`, then `saiki evaluate` on the whole test part, as processes of
their own. Rows stand in benchmarks/results/documents.json under command, data and code; docs/documents.md shows them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import saiki

PAGE = ROOT / "docs" / "documents.md"
#: what a score depends on
CODE = [
    "native", "src/saiki/kernels", "src/saiki/network", "src/saiki/training", "src/saiki/cells/base.py", "src/saiki/cells/gru.py",
    "src/saiki/modalities", "src/saiki/data/labelled.py", "src/saiki/data/texts.py", "src/saiki/baselines", "src/saiki/fitting.py",
    "src/saiki/model.py", "src/saiki/tasks/_baseline_share.py",
    *(f"src/saiki/tasks/{name}.py" for name in ("classify", "_classifying", "_labelling", "_label_problem", "_documents")),
]  # fmt: skip
Parts = dict[str, pl.DataFrame]  # train, test, and valid where the data has one


@dataclass(frozen=True)
class Set:
    """A collection of labelled texts, how it is split, and what is known of it."""

    about: str
    parts: Callable[[Path, int], Parts]
    files: tuple[str, ...]
    known: str
    options: tuple[str, ...] = ("--minutes", "3")


def _table(rows: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["label", "text"], orient="row")


def _lines(path: Path, between: str, encoding: str = "utf-8") -> pl.DataFrame:
    """The label first on every line."""
    lines = path.read_text(encoding=encoding).split("\n")
    return _table(
        [(label, text.strip()) for label, _, text in (line.partition(between) for line in lines) if text.strip()]
    )


def _fold(table: pl.DataFrame, seed: int, folds: int) -> Parts:
    """One part of so many of every class is the test, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(len(table))
    place = table[order].with_columns(place=pl.int_range(pl.len()).over("label"))
    test = pl.col("place") % folds == 0
    return {"train": place.filter(~test).drop("place"), "test": place.filter(test).drop("place")}


def _mr(data: Path, seed: int) -> Parts:
    return _fold(_lines(data / "text/mr-polarity/rt-polarity.all", " ", "latin-1"), seed, 10)


def _sst(kind: str) -> Callable[[Path, int], Parts]:
    def parts(data: Path, seed: int) -> Parts:
        places = {"train": "train", "valid": "dev", "test": "test"}
        return {k: _lines(data / f"text/sst/stsa.{kind}.{name}", " ") for k, name in places.items()}

    return parts


def _sst_files(kind: str) -> tuple[str, ...]:
    return tuple(f"text/sst/stsa.{kind}.{name}" for name in ("train", "dev", "test"))


def _sms(data: Path, seed: int) -> Parts:
    return _fold(_lines(data / "text/sms-spam/SMSSpamCollection", "\t"), seed, 5)


def _names(data: Path, seed: int) -> Parts:
    with tarfile.open(data / "text/names-nationality/names.tar.xz") as archive:
        files = {Path(m.name).stem: archive.extractfile(m) for m in archive.getmembers() if m.name.endswith(".txt")}
        read = {label: file.read().decode() for label, file in files.items() if file is not None}
    return _fold(_table([(label, name) for label, text in sorted(read.items()) for name in text.split()]), seed, 5)


def _reviews(data: Path, seed: int) -> Parts:
    """Ten folds by the cv number of the file names; the seed chooses the fold."""
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    with zipfile.ZipFile(data / "text/movie-reviews-docs/movie_reviews.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".txt") and "/cv" in n):
            label, file = name.split("/")[-2:]
            number = int(file[2:5]) // 100
            parts["test" if number == seed % 10 else "train"].append((label, archive.read(name).decode("latin-1")))
    return {name: _table(rows) for name, rows in parts.items()}


def _r8(data: Path, seed: int) -> Parts:
    return {name: _lines(data / f"text/reuters-r8/{name}.txt", "\t") for name in ("train", "test")}


SST = "with phrases and outside vectors LSTM {} (Tai et al. 2015); sentences alone about {}"
SETS = {
    "mr": Set("Sentence polarity (MR), a random tenth is judged", _mr, ("text/mr-polarity/rt-polarity.all",),
        "bidirectional LSTM with outside vectors 80.0 (Zhou et al. 2016); without vectors about 75 to 77"),
    "sst-binary": Set("Stanford sentiment, two classes, official split", _sst("binary"), _sst_files("binary"),
        SST.format(84.9, "79 to 82")),
    "sst-fine": Set("Stanford sentiment, five classes, official split", _sst("fine"), _sst_files("fine"),
        SST.format(46.4, "38 to 41")),
    "reviews": Set("Whole film reviews, 2,000 documents, a fold of ten by the number of the file", _reviews,
        ("text/movie-reviews-docs/movie_reviews.zip",), "SVM on words 87.2 (Pang and Lee 2004)"),
    "sms": Set("SMS spam, a random fifth is judged", _sms, ("text/sms-spam/SMSSpamCollection",), "SVM 97.64 (Almeida et al. 2011)"),
    "names": Set("Surname to language, 18 classes, a random fifth is judged", _names, ("text/names-nationality/names.tar.xz",),
        "no canonical figure", ("--units", "characters", "--minutes", "3")),
    "reuters-r8": Set("Reuters R8, eight topics, official split", _r8, ("text/reuters-r8/train.txt", "text/reuters-r8/test.txt"),
        "LSTM 93.68 (Yao et al. 2019)"),
}  # fmt: skip


def measure(name: str, data: Path, seed: int) -> dict[str, Any]:
    """One row: train, then score on the test part."""
    what = SETS[name]
    with tempfile.TemporaryDirectory() as place:
        parts = what.parts(data, seed)
        files = {part: f"{place}/{part}.parquet" for part in parts}
        for part, table in parts.items():
            table.write_parquet(files[part])
        valid = ["--valid", files["valid"]] if "valid" in files else []
        asked = ["--source", "text", "--target", "label", *what.options, *valid, "--seed", str(seed)]
        began, model = time.perf_counter(), f"{place}/model"
        saiki("train", "classify", files["train"], *asked, "--out", model, "--quiet")
        seconds = time.perf_counter() - began
        found = json.loads(saiki("evaluate", model, files["test"], "--json"))
    facts = {"set": name, "seed": seed, "seconds": round(seconds, 1), "sentence": found["sentence"]}
    alone = {"network": found["details"]["alone"]} if "alone" in found.get("details", {}) else {}
    return facts | {"scores": found["scores"] | alone, **about()}


def page(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation: medians over the seeds."""
    lines = [
        "# Texts into classes",
        "",
        "Made by `python benchmarks/documents.py --data DIR`; one row alone: `--only mr --seeds 1`. The defaults of `saiki train",
        "classify`, `--minutes 3`, no vectors from elsewhere; medians over the seeds, each with a split of its own where none is",
        "official. Nothing was chosen on a test part. The bag of words has a share in the answers; the network alone is without.",
        "",
        "| texts | seeds | saiki: accuracy | macro F1 | network alone | words + logistic regression: accuracy | macro F1 "
        "| majority | elsewhere |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, what in SETS.items():
        found = sorted((r for r in rows if r["set"] == name), key=lambda r: r["seed"])
        if not found:
            lines.append(f"| {what.about} | not run | | | | | | | {what.known} |")
            continue
        medians = [_median(found, *which) for which in (("saiki", "accuracy"), ("saiki", "macro_f1"), ("network", "accuracy"),
                   ("tfidf", "accuracy"), ("tfidf", "macro_f1"), ("majority", "accuracy"))]  # fmt: skip
        seeds = ", ".join(str(r["seed"]) for r in found)
        lines.append(f"| {what.about} | {seeds} | {' | '.join(medians)} | {what.known} |")
    machines = sorted(
        {f"{r['machine']}, torch {r['torch']}, {r['threads']} thread(s), commit {r['commit']}" for r in rows}
    )
    return "\n".join([*lines, "", f"Measured on: {'; '.join(machines)}.", ""])


def _median(rows: list[dict[str, Any]], who: str, metric: str) -> str:
    values = [r["scores"][who][metric] for r in rows if metric in r["scores"].get(who, {})]
    return f"{statistics.median(values):.3f}" if values else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--report", action="store_true", help="only write docs/documents.md from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("documents"), code_hash(*CODE)
    if not given.report and given.data is None:
        parser.error("--data DIR is needed to measure")
    for seed in [] if given.report else given.seeds:
        for name in given.only:
            hashed = file_hash(*(given.data / file for file in SETS[name].files))
            key = f"{name} {' '.join(SETS[name].options)} seed={seed} data={hashed} code={code}"
            if key not in rows:
                rows.put(key, measure(name, given.data, seed))
                print(name, seed, rows.rows[key]["sentence"], flush=True)
    newest = {(r["set"], r["seed"]): r for r in rows.rows.values()}
    PAGE.write_text(page(list(newest.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
