"""How fast language models write and learn, beside the same models in plain torch.nn, in one process."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from _rows import about

#: what is trained: units, numbers per unit, width, lines read side by side, units per line and step
TRAINED = ((65, 64, 128, 32, 100), (65, 64, 512, 64, 100), (10_000, 256, 256, 32, 70))
#: steps that are timed of each side, in turns; the median counts
STEPS = 5


def writing(length: int = 10_000) -> dict[str, Any]:
    """Seconds for `length` characters by a 2 × 512 LSTM: `model.generate`, and the step loop of torch.nn with the same weights."""
    import torch

    from saiki.network.options import Network
    from saiki.tasks._generating import GenerateTask
    from saiki.tasks.generate import Generate

    text = "".join(chr(c) for c in range(32, 97)) * 40
    task = GenerateTask.fit(Generate(units="characters", embedding=64, ngrams=1), [text], {})
    network = task.network(Network(cell="lstm", layers=2, connection="plain", width=512), 512, 0).eval()
    began = time.perf_counter()
    written = task.generate(network, length=length)
    ours = time.perf_counter() - began
    table, layer, head = plain(network, "lstm")
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


def plain(network: Any, cell: str) -> tuple[Any, Any, Any]:
    """Embedding, recurrent layers and scores of `network` in plain torch.nn, with copies of its weights."""
    import torch

    sizes, width = network.sizes, network.stack.output_width
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    table, head = torch.nn.Embedding(sizes.units, sizes.embedding), torch.nn.Linear(width, sizes.units)
    layer = kind(sizes.embedding, width, len(network.stack.cells), batch_first=True)
    for number, (own,) in enumerate(network.stack.cells):
        for weight, value in own.named_parameters():
            getattr(layer, f"{weight}_l{number}").data = value.data.clone()
    table.weight.data = network.embedding.table.weight.data.clone()
    head.weight.data, head.bias.data = network.weight.data.clone(), network.bias.data.clone()
    return table, layer, head


def training() -> list[dict[str, Any]]:
    """Units per second in training, of a language model and of the same in plain torch.nn: forward, backward, AdamW."""
    return [_trained(cell, *what) for what in TRAINED for cell in ("gru", "lstm")]


def _trained(cell: str, units: int, embedding: int, width: int, lines: int, time_steps: int) -> dict[str, Any]:
    import torch

    from saiki.network.language import LanguageModel, Sizes
    from saiki.network.options import Network

    torch.manual_seed(0)
    network = LanguageModel(Sizes(units, embedding), Network(cell=cell, layers=2, connection="plain"), width)
    table, layer, head = plain(network, cell)
    text = torch.randint(units, (lines, time_steps + 1))
    given, following = text[:, :-1], text[:, 1:]

    def ours() -> torch.Tensor:
        return network.loss(given, following, None)[0]

    def theirs() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(head(layer(table(given))[0]).flatten(0, 1), following.flatten())

    sides = {
        "saiki": (ours, list(network.parameters())),
        "torch": (theirs, [w for part in (table, layer, head) for w in part.parameters()]),
    }
    first = {name: float(loss().detach()) for name, (loss, _) in sides.items()}
    assert math.isclose(first["saiki"], first["torch"], rel_tol=1e-4), f"not the same model: {first}"
    optimizers = {name: torch.optim.AdamW(weights, lr=1e-3, fused=True) for name, (_, weights) in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for step in range(STEPS + 1):
        for name, (loss, weights) in sides.items():
            began = time.perf_counter()
            optimizers[name].zero_grad()
            loss().backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizers[name].step()
            if step:  # the first one pays for buffers
                seconds[name].append(time.perf_counter() - began)
    rates = {name: lines * time_steps / float(np.median(taken)) for name, taken in seconds.items()}
    return {"set": "training speed", "cell": cell, "units": units, "embedding": embedding, "width": width,
            "batch": lines, "bptt": time_steps, "saiki": round(rates["saiki"]), "plain": round(rates["torch"]),
            "times": round(rates["saiki"] / rates["torch"], 2), **about()}  # fmt: skip


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """What the page says of both."""
    found: list[str] = []
    for row in (r for r in rows if r["set"] == "speed"):
        ours = f"{row['characters']:,} characters by a 2 × 512 LSTM: {row['seconds']} s"
        theirs = f"the step loop of torch.nn with the same weights {row['torch']} s at its better number of threads"
        found += ["## Writing", "", f"{ours}, {theirs}: {row['times']} times; {row['machine']}.", ""]
    if trained := [r for r in rows if r["set"] == "training speed"]:
        says = "Units per second, two layers: forward, backward and AdamW; medians, in turns with the same model in plain torch.nn."
        names = ["cell", "units", "width", "batch × steps", "saiki", "torch.nn", "times"]
        found += ["## Training", "", says, "", f"| {' | '.join(names)} |", "|---|---:|---:|---:|---:|---:|---:|"]
        for r in trained:
            found.append(f"| {r['cell']} | {r['units']:,} | {r['width']} | {r['batch']} × {r['bptt']} | {r['saiki']:,} | "
                         f"{r['plain']:,} | {r['times']} |")  # fmt: skip
        mean = math.exp(sum(math.log(r["times"]) for r in trained) / len(trained))
        last = trained[-1]
        found += ["", f"Geometric mean: {mean:.2f} times; {last['machine']}, {last['threads']} thread(s), torch {last['torch']}, "
                  f"commit {last['commit']}.", ""]  # fmt: skip
    return found
