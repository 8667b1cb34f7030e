"""Language models and translation on real texts, as a user would make them, and the speed of training and writing.

    python benchmarks/language.py --data DIR [--only tiny-shakespeare] [--seeds 1]     accuracy, one row per text and seed
    python benchmarks/language.py --speed                                              training and writing, beside torch.nn
    python benchmarks/language.py --report                                             only write docs/language.md

DIR holds the public data sets. Each row is `saiki train`, then `saiki evaluate` on the whole test part (of a language model with
the state carried through it, and of a copy that learns from it), as processes of their own. Rows stand in
benchmarks/results/language.json under command, data and code.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import _language_speed
from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import saiki

PAGE = ROOT / "docs" / "language.md"
#: what a score depends on
CODE = [
    "native", "src/saiki/tasks/translate.py", "src/saiki/tasks/_translating.py", "src/saiki/tasks/_pair_problem.py",
    "src/saiki/decoding", "src/saiki/tasks/generate.py", "src/saiki/tasks/_generating.py", "src/saiki/tasks/_reading.py",
    "src/saiki/tasks/_recipe.py", "src/saiki/tasks/_dynamic.py", "src/saiki/data/ngrams.py",
    "src/saiki/tasks/_counted_share.py", "src/saiki/baselines/ngram.py", "src/saiki/network", "src/saiki/training",
    "src/saiki/modalities/text.py", "src/saiki/cells/base.py", "src/saiki/cells/gru.py", "src/saiki/kernels",
]  # fmt: skip
#: shares of the text by position: training (with what is held out of it at its end), test
SETS: dict[str, dict[str, Any]] = {
    "tiny-shakespeare": {
        "about": "Tiny Shakespeare, characters, the last tenth is judged",
        "text": "text/tiny-shakespeare/input.txt",
        "train": (0.0, 0.9),
        "test": (0.9, 1.0),
        # the end of the training part is of the same play as the test part: n-grams need 0.07 nats more without its last fiftieth
        "options": ["--units", "characters", "--holdout", "0", "--minutes", "20"],
    },
    "war-and-peace": {
        "about": "War and Peace, characters, 80/10/10 by position",
        "text": "text/war-and-peace/warpeace_input.txt",
        "train": (0.0, 0.8),
        "valid": (0.8, 0.9),
        "test": (0.9, 1.0),
        "options": ["--units", "characters", "--minutes", "44"],
    },
}  # fmt: skip
#: what AWD-LSTM adds (Merity et al. 2018), one by one and together, to the recipe as it is
REMEDIES = {
    "": [],
    "weight-drop": ["--weight-drop", "0.3"],
    "locked": ["--locked", "--input-dropout", "0.2"],
    "embedding-dropout": ["--embedding-dropout", "0.1"],
    "regularised": ["--activation-regularisation", "2", "--temporal-regularisation", "1"],
    "not-averaged": ["--average", "0"],
}  # fmt: skip
REMEDIES["awd"] = [option for options in list(REMEDIES.values())[1:5] for option in options]
#: as many as one free thread makes in some ten minutes, so that all remedies have as many
WORD_STEPS = "1000"
for _units, _remedies in (("words", REMEDIES), ("bytepair", ["", "awd"])):
    for _remedy in _remedies:
        SETS["-".join(filter(None, ("war-and-peace", _units, _remedy)))] = SETS["war-and-peace"] | {
            "about": f"{_units}, {_remedy.replace('-', ' ') or 'the recipe as it is'}",
            "table": "War and Peace in words and in byte-pair units",
            "options": ["--units", _units, "--steps", WORD_STEPS, *REMEDIES[_remedy]],
        }

#: how captions are asked for: as many steps as two free cores make in some 40 minutes
TRANSLATE = ["--source", "en", "--target", "de", "--lower", "--vocabulary", "4000", "--steps", "4300"]
#: pairs of texts: files beside each other whose endings are the languages
PAIRS: dict[str, dict[str, Any]] = {
    "multi30k": {
        "about": "Multi30k, captions, English to German, test 2016",
        "folder": "translation/multi30k-ende",
        "files": ("train", "val", "test_2016_flickr"),
        "options": TRANSLATE,
        "published": "an attentive GRU is published with BLEU 38.1 (tokenised, small letters; Caglayan et al. 2017)",
    },
    "multi30k-without-attention": {
        "about": "The same without attention",
        "folder": "translation/multi30k-ende",
        "files": ("train", "val", "test_2016_flickr"),
        "options": [*TRANSLATE, "--attention", "none"],
    },
    "english-japanese": {
        "about": "Tanaka corpus, 50,000 short sentences, English to Japanese, both already cut into words",
        "folder": "translation/small-parallel-enja",
        "files": ("train", "dev", "test"),
        "options": ["--source", "en", "--target", "ja", "--units", "words", "--minutes", "20"],
    },
}


def parts(what: dict[str, Any], data: Path, folder: Path) -> dict[str, str]:
    """The parts of a text as files."""
    text = (data / what["text"]).read_text(encoding="utf-8")
    files = {}
    for name in ("train", "valid", "test"):
        if name in what:
            low, high = (int(len(text) * share) for share in what[name])
            files[name] = str(folder / f"{name}.txt")
            Path(files[name]).write_text(text[low:high], encoding="utf-8")
    return files


def measure(name: str, data: Path, seed: int) -> dict[str, Any]:
    """One row: train, then score on the test part."""
    what = SETS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = parts(what, data, folder)
        valid = ["--valid", files["valid"]] if "valid" in files else []
        model = str(folder / "model")
        began = time.perf_counter()
        saiki(
            "train",
            "generate",
            files["train"],
            *what["options"],
            *valid,
            "--seed",
            str(seed),
            "--out",
            model,
            "--quiet",
        )
        seconds = time.perf_counter() - began
        judged = json.loads(saiki("evaluate", model, files["test"], "--adaptive", "--json"))
        sample = saiki("generate", model, "--length", "400", "--temperature", "0.8", "--seed", "1")
        config = json.loads(Path(model, "config.json").read_text())
    run, network = config["run"], config["network"]
    shape = {k: network[k] for k in ("cell", "width", "layers", "dropout")}
    return {"set": name, "seed": seed, "seconds": round(seconds, 1), "steps": run["step"], "network": shape,
            "curve": run["curve"], "scores": judged["scores"], "adaptive": judged["details"]["adaptive"], "sample": sample,
            **about()}  # fmt: skip


def translation(name: str, data: Path, seed: int) -> dict[str, Any]:
    """One row: train, then score on the test part, and a few answers."""
    what = PAIRS[name]
    train, valid, test = (str(data / what["folder"] / file) for file in what["files"])
    with tempfile.TemporaryDirectory() as place:
        model = str(Path(place, "model"))
        began = time.perf_counter()
        saiki(
            "train",
            "translate",
            train,
            *what["options"],
            "--valid",
            valid,
            "--seed",
            str(seed),
            "--out",
            model,
            "--quiet",
        )
        seconds = time.perf_counter() - began
        found = json.loads(saiki("evaluate", model, test, "--json"))
        some = Path(place, "some.txt")
        side = Path(f"{test}.{what['options'][what['options'].index('--source') + 1]}")
        with side.open(encoding="utf-8") if side.exists() else gzip.open(f"{side}.gz", "rt", encoding="utf-8") as file:
            some.write_text("".join(file.readline() for _ in range(5)), encoding="utf-8")
        sample = saiki("predict", model, str(some))
        config = json.loads(Path(model, "config.json").read_text())
    run, network = config["run"], config["network"]
    shape = {k: network[k] for k in ("cell", "width", "layers", "dropout")}
    return {"set": name, "seed": seed, "seconds": round(seconds, 1), "steps": run["step"], "network": shape,
            "curve": run["curve"], "scores": found["scores"], "notes": found["notes"], "sample": sample, **about()}  # fmt: skip


def tables(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Sets that are told apart by an option, one line each, beside the n-grams of the same units."""
    lines: list[str] = []
    for title in dict.fromkeys(what["table"] for what in SETS.values() if "table" in what):
        found = [(SETS[r["set"]], r) for r in rows.values() if SETS.get(r["set"], {}).get("table") == title]
        if not found:
            continue
        order = list(SETS)
        found.sort(key=lambda pair: (order.index(pair[1]["set"]), pair[1]["seed"]))
        head = "| units | options | perplexity per unit | n-grams | nats per character | n-grams | network | steps | seconds |"
        lines += [
            f"## {title}",
            "",
            "80/10/10 by position; test part. Unknown units flatter a perplexity, of both alike.",
            "",
        ]
        lines += [head, "|---|---|---:|---:|---:|---:|---|---:|---:|"]
        for what, row in found:
            own, grams, shape = row["scores"]["saiki"], row["scores"]["ngram"], row["network"]
            options = row.get("asked") or " ".join(what["options"][2:])
            cells = [what["about"].split(",")[0], f"`{options} --seed {row['seed']}`"]
            cells += [f"{of['perplexity']:.1f}" for of in (own, grams)]
            cells += [f"{of['nats_per_character']:.3f}" for of in (own, grams)]
            cells += [f"{shape['cell']}, {shape['layers']} × {shape['width']}, dropout {shape['dropout']}"]
            lines.append(f"| {' | '.join([*cells, format(row['steps'], ','), format(row['seconds'], '.0f')])} |")
        told = dict.fromkeys(
            f"{r['machine']}, {r['threads']} thread(s), torch {r['torch']}, commit {r['commit']}" for _, r in found
        )
        notes = dict.fromkeys(r["note"] for _, r in found if "note" in r)
        lines += ["", f"{'; '.join(told)}. {' '.join(notes)}".strip(), ""]
    return lines


def curve(row: dict[str, Any]) -> str:
    """How the score fell with the minutes, as if every step took equally long."""
    found = [point for point in row["curve"] if (score := point["score"]) is not None and math.isfinite(score)]
    if not found:
        return ""
    minute = row["seconds"] / 60 / row["steps"]
    points = ", ".join(f"{point['step'] * minute:.0f} {point['score']:.3f}" for point in found)
    return (
        f" Curve, minutes (all steps taken as equally long) and nats per unit on the first 50,000 held out: {points}."
    )


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The page of the documentation."""
    lines = [
        "# Language models and translation",
        "",
        "Made by `python benchmarks/language.py --data DIR`. Nothing is chosen on the test part.",
        "",
    ]
    for name, what in SETS.items():
        for row in (r for r in rows.values() if r["set"] == name and "table" not in what):
            shape = row["network"]
            lines += [
                f"## {what['about']}",
                "",
                f"`saiki train generate … {row.get('asked') or ' '.join(what['options'])} --seed {row['seed']}`",
                "",
            ]
            lines += ["| | nats per character | bits per character | perplexity |", "|---|---:|---:|---:|"]
            answers = row["scores"] | ({"saiki, `--adaptive`": row["adaptive"]} if "adaptive" in row else {})
            for who, found in answers.items():
                columns = ("nats_per_character", "bits_per_character", "perplexity")
                lines.append(f"| {who} | " + " | ".join(f"{found[name]:.4g}" for name in columns) + " |")
            lines += ["", f"{shape['layers']} layers of {shape['width']} units, {shape['cell']}, dropout {shape['dropout']}; "
                      f"{row['steps']:,} steps, {row['seconds']:.0f} s, {row['machine']}, {row['threads']} thread(s), torch "
                      f"{row['torch']}, commit {row['commit']}.{curve(row)} {row.get('note', '')}".strip(), "",
                      "```", row["sample"].strip(), "```", ""]  # fmt: skip
    lines += tables(rows)
    for name, what in PAIRS.items():
        for row in (r for r in rows.values() if r["set"] == name):
            shape = row["network"]
            lines += [
                f"## {what['about']}",
                "",
                f"`saiki train translate … {' '.join(what['options'])} --seed {row['seed']}`",
                "",
            ]
            lines += ["| | BLEU | chrF | exact |", "|---|---:|---:|---:|"]
            for who, found in row["scores"].items():
                lines.append(f"| {who} | {found['bleu']:.1f} | {found['chrf']:.1f} | {found['exact']:.3f} |")
            published = f"For comparison {what['published']}. " if "published" in what else ""
            lines += ["", published + " ".join([*row["notes"], *filter(None, [row.get("note")])]), ""]
            lines += [f"{shape['layers']} layers of {shape['width']} units, {shape['cell']}, dropout {shape['dropout']}; "
                      f"{row['steps']:,} steps, {row['seconds']:.0f} s, {row['machine']}, {row['threads']} thread(s), torch "
                      f"{row['torch']}, commit {row['commit']}.", "", "```", row["sample"].strip(), "```", ""]  # fmt: skip
    lines += _language_speed.lines(list(rows.values()))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=[*SETS, *PAIRS], choices=[*SETS, *PAIRS])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1])
    parser.add_argument("--speed", action="store_true", help="measure how fast models learn and write")
    parser.add_argument("--report", action="store_true", help="only write docs/language.md from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("language"), code_hash(*CODE)
    if given.speed:
        for row in _language_speed.training():
            rows.put(f"training speed {row['cell']} {row['units']} {row['width']} code={code}", row)
        rows.put(f"speed code={code}", _language_speed.writing())
    elif not given.report:
        if given.data is None:
            parser.error("--data DIR is needed to measure")
        for name in given.only:
            what = PAIRS.get(name) or SETS[name]
            if "text" in what:
                files = [given.data / what["text"]]
            else:
                files = sorted(f for part in what["files"] for f in (given.data / what["folder"]).glob(f"{part}.*"))
            hashed, how = file_hash(*files), translation if name in PAIRS else measure
            for seed in given.seeds:
                key = f"{name} {' '.join(what['options'])} seed={seed} data={hashed} code={code}"
                if key not in rows:
                    rows.put(key, how(name, given.data, seed))
    PAGE.write_text(page(rows.rows), encoding="utf-8")


if __name__ == "__main__":
    main()
