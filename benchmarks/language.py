"""Language models and translation on real texts, as a user would make them, and the speed of writing.

    python benchmarks/language.py --data DIR [--only tiny-shakespeare] [--seeds 1]     accuracy, one row per text and seed
    python benchmarks/language.py --speed                                              10,000 characters, beside torch.nn
    python benchmarks/language.py --report                                             only write docs/language.md

DIR holds the public data sets. Each row is `saiki train`, then `saiki evaluate` on the whole test part (of a language model with
the state carried through it), as processes of their own. Rows stand in
benchmarks/results/language.json under command, data and code.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from _rows import ROOT, Rows, about, code_hash, file_hash
from quality import saiki

PAGE = ROOT / "docs" / "language.md"
#: what a score depends on
CODE = [
    "native", "src/saiki/tasks/translate.py", "src/saiki/tasks/_translating.py", "src/saiki/tasks/_pair_problem.py",
    "src/saiki/decoding", "src/saiki/tasks/generate.py", "src/saiki/tasks/_generating.py", "src/saiki/tasks/_reading.py",
    "src/saiki/tasks/_recipe.py", "src/saiki/network", "src/saiki/training", "src/saiki/modalities/text.py",
    "src/saiki/cells/base.py", "src/saiki/cells/gru.py", "src/saiki/kernels",
]  # fmt: skip
#: shares of the text by position: training (with what is held out of it at its end), test
SETS: dict[str, dict[str, Any]] = {
    "tiny-shakespeare": {
        "about": "Tiny Shakespeare, characters, the last tenth is judged",
        "text": "text/tiny-shakespeare/input.txt",
        "train": (0.0, 0.9),
        "test": (0.9, 1.0),
        "options": ["--units", "characters", "--holdout", "0.03", "--minutes", "20"],
    },
    "war-and-peace": {
        "about": "War and Peace, characters, 80/10/10 by position",
        "text": "text/war-and-peace/warpeace_input.txt",
        "train": (0.0, 0.8),
        "valid": (0.8, 0.9),
        "test": (0.9, 1.0),
        "options": ["--units", "characters", "--minutes", "44"],
    },
    "war-and-peace-words": {
        "about": "War and Peace, words",
        "text": "text/war-and-peace/warpeace_input.txt",
        "train": (0.0, 0.8),
        "valid": (0.8, 0.9),
        "test": (0.9, 1.0),
        "options": ["--units", "words", "--minutes", "20"],
    },
    "war-and-peace-words-awd": {
        "about": "War and Peace, words, with the remedies of AWD-LSTM",
        "text": "text/war-and-peace/warpeace_input.txt",
        "train": (0.0, 0.8),
        "valid": (0.8, 0.9),
        "test": (0.9, 1.0),
        "options": ["--units", "words", "--minutes", "20", "--cell", "lstm", "--weight-drop", "0.3", "--locked", "--dropout",
                    "0.3", "--embedding-dropout", "0.1", "--input-dropout", "0.3", "--activation-regularisation", "2",
                    "--temporal-regularisation", "1", "--average", "0.999"],
    },
}  # fmt: skip

#: pairs of texts: files beside each other whose endings are the languages
PAIRS: dict[str, dict[str, Any]] = {
    "multi30k": {
        "about": "Multi30k, captions, English to German, test 2016",
        "folder": "translation/multi30k-ende",
        "files": ("train", "val", "test_2016_flickr"),
        # as many steps as two free cores make in some 40 minutes
        "options": ["--source", "en", "--target", "de", "--lower", "--vocabulary", "4000", "--steps", "4300"],
        "published": "an attentive GRU is published with BLEU 38.1 (tokenised, small letters; Caglayan et al. 2017)",
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
        scores = json.loads(saiki("evaluate", model, files["test"], "--json"))["scores"]
        sample = saiki("generate", model, "--length", "400", "--temperature", "0.8", "--seed", "1")
        config = json.loads(Path(model, "config.json").read_text())
    run, network = config["run"], config["network"]
    shape = {k: network[k] for k in ("cell", "width", "layers", "dropout")}
    return {"set": name, "seed": seed, "seconds": round(seconds, 1), "steps": run["step"], "network": shape,
            "curve": run["curve"], "scores": scores, "sample": sample, **about()}  # fmt: skip


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
        side = what["options"][what["options"].index("--source") + 1]
        with gzip.open(f"{test}.{side}.gz", "rt", encoding="utf-8") as file:
            some.write_text("".join(file.readline() for _ in range(5)), encoding="utf-8")
        sample = saiki("predict", model, str(some))
        config = json.loads(Path(model, "config.json").read_text())
    run, network = config["run"], config["network"]
    shape = {k: network[k] for k in ("cell", "width", "layers", "dropout")}
    return {"set": name, "seed": seed, "seconds": round(seconds, 1), "steps": run["step"], "network": shape,
            "curve": run["curve"], "scores": found["scores"], "notes": found["notes"], "sample": sample, **about()}  # fmt: skip


def speed(length: int = 10_000) -> dict[str, Any]:
    """Seconds for `length` characters by a 2 × 512 LSTM: `model.generate`, and the step loop of torch.nn with the same weights."""
    import torch

    from saiki.network.options import Network
    from saiki.tasks._generating import GenerateTask
    from saiki.tasks.generate import Generate

    text = "".join(chr(c) for c in range(32, 97)) * 40
    task = GenerateTask.fit(Generate(units="characters", embedding=64), [text], {})
    network = task.network(Network(cell="lstm", layers=2, connection="plain", width=512), 512, 0).eval()
    began = time.perf_counter()
    written = task.generate(network, length=length)
    ours = time.perf_counter() - began
    layer = torch.nn.LSTM(64, 512, 2, batch_first=True)
    for number, (cell,) in enumerate(network.stack.cells):
        for weight, value in cell.named_parameters():
            getattr(layer, f"{weight}_l{number}").data = value.data
    table, head = network.embedding.table, torch.nn.Linear(512, task.codec.size)
    head.weight.data, head.bias.data = network.weight.data, network.bias.data
    best, some = float("inf"), length // 20
    for threads in (1, 2):
        torch.set_num_threads(threads)
        unit, state = torch.zeros(1, 1, dtype=torch.long), None
        began = time.perf_counter()
        with torch.no_grad():
            for _ in range(some):
                y, state = layer(table(unit), state)
                unit = torch.multinomial(torch.softmax(head(y[:, -1]), -1), 1)
        best = min(best, (time.perf_counter() - began) * length / some)
    return {"set": "speed", "characters": len(written), "seconds": round(ours, 2), "torch": round(best, 2),
            "times": round(best / ours, 1), "machine": about()["machine"]}  # fmt: skip


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The page of the documentation."""
    lines = [
        "# Language models and translation",
        "",
        "Made by `python benchmarks/language.py --data DIR`. Nothing is chosen on the test part.",
        "",
    ]
    for name, what in SETS.items():
        for row in (r for r in rows.values() if r["set"] == name):
            shape = row["network"]
            lines += [
                f"## {what['about']}",
                "",
                f"`saiki train generate … {' '.join(what['options'])} --seed {row['seed']}`",
                "",
            ]
            lines += ["| | nats per character | bits per character | perplexity |", "|---|---:|---:|---:|"]
            for who, found in row["scores"].items():
                lines.append(f"| {who} | " + " | ".join(f"{v:.4g}" for v in found.values()) + " |")
            lines += ["", f"{shape['layers']} layers of {shape['width']} units, {shape['cell']}, dropout {shape['dropout']}; "
                      f"{row['steps']:,} steps, {row['seconds']:.0f} s, {row['machine']}, {row['threads']} thread(s), torch "
                      f"{row['torch']}, commit {row['commit']}.", "", "```", row["sample"].strip(), "```", ""]  # fmt: skip
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
            lines += ["", f"For comparison {what['published']}. {' '.join(row['notes'])}", ""]
            lines += [f"{shape['layers']} layers of {shape['width']} units, {shape['cell']}, dropout {shape['dropout']}; "
                      f"{row['steps']:,} steps, {row['seconds']:.0f} s, {row['machine']}, {row['threads']} thread(s), torch "
                      f"{row['torch']}, commit {row['commit']}.", "", "```", row["sample"].strip(), "```", ""]  # fmt: skip
    for row in (r for r in rows.values() if r["set"] == "speed"):
        ours = f"{row['characters']:,} characters by a 2 × 512 LSTM: {row['seconds']} s"
        theirs = f"the step loop of torch.nn with the same weights {row['torch']} s at its better number of threads"
        lines += ["## Writing", "", f"{ours}, {theirs}: {row['times']} times; {row['machine']}.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="*", default=[*SETS, *PAIRS], choices=[*SETS, *PAIRS])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1])
    parser.add_argument("--speed", action="store_true", help="measure how fast text is written")
    parser.add_argument("--report", action="store_true", help="only write docs/language.md from the rows there are")
    given = parser.parse_args()
    rows, code = Rows("language"), code_hash(*CODE)
    if given.speed:
        rows.put(f"speed code={code}", speed())
    elif not given.report:
        if given.data is None:
            parser.error("--data DIR is needed to measure")
        for name in given.only:
            what = PAIRS.get(name) or SETS[name]
            folder = given.data / what.get("folder", "")
            files = [folder / what["text"]] if "text" in what else sorted(folder.glob("*.gz"))
            hashed, how = file_hash(*files), translation if name in PAIRS else measure
            for seed in given.seeds:
                key = f"{name} {' '.join(what['options'])} seed={seed} data={hashed} code={code}"
                if key not in rows:
                    rows.put(key, how(name, given.data, seed))
    PAGE.write_text(page(rows.rows), encoding="utf-8")


if __name__ == "__main__":
    main()
