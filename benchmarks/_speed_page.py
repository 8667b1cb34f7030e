"""The page docs/speed.md, from the rows of `speed.py`."""

from __future__ import annotations

import math
import statistics

NAMES = {"forward": "forward", "train": "forward + backward"}
TARGETS = {"rnn": (2.5, 2.0), "gru": (2.5, 2.0), "lstm": (1.2, 1.0)}  # forward + backward, forward
CALM = 0.05  # of the processors: what others may take without a point being measured again
PEERS = {"jax": "JAX", "keras": "Keras on JAX", "onnxruntime": "ONNX Runtime"}


def geometric(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def ratio(row: dict, what: str) -> float:
    return row[f"torch_{what}"] / row[f"saiki_{what}"]


def summary(rows: list[dict]) -> str:
    """Geometric means and worst points per cell, beside the targets."""
    lines = [
        "| cell | pass | geometric mean | target | slowest point | fastest | points slower than torch |",
        "|" + "---|" * 7,
    ]
    for cell in TARGETS:
        for what, target in zip(("train", "forward"), TARGETS[cell], strict=True):
            ratios = sorted((ratio(r, what), r["key"]) for r in rows if r["point"][0] == cell and not r["point"][4])
            if not ratios:
                continue
            below = sum(value < 1 for value, _ in ratios)
            mean = geometric([value for value, _ in ratios])
            lines.append(
                f"| {cell} | {NAMES[what]} | {mean:.2f} | {target} | {ratios[0][0]:.2f} ({ratios[0][1]}) "
                f"| {ratios[-1][0]:.1f} | {below} of {len(ratios)} |"
            )
    return "\n".join(lines)


def best(row: dict, what: str) -> tuple[float, str]:
    """Time of the fastest library but saiki, as a multiple of saiki's, and its name."""
    names = [name for name in ("torch", *PEERS) if f"{name}_{what}" in row]
    return min((row[f"{name}_{what}"] / row[f"saiki_{what}"], name) for name in names)


def peer_summary(rows: list[dict]) -> str:
    """Per cell: against the fastest other library at each point where one beside torch was measured."""
    lines = ["| cell | pass | geometric mean | slowest point | fastest other there | points slower |", "|" + "---|" * 6]
    for cell in TARGETS:
        for what in ("train", "forward"):
            measured = [r for r in rows if r["point"][0] == cell and any(f"{name}_{what}" in r for name in PEERS)]
            if found := sorted((*best(r, what), r["key"]) for r in measured):
                value, name, key = found[0]
                below = sum(v < 1 for v, _, _ in found)
                mean = geometric([v for v, _, _ in found])
                lines.append(
                    f"| {cell} | {NAMES[what]} | {mean:.2f} | {value:.2f} ({key}) | {name} | {below} of {len(found)} |"
                )
    return "\n".join(lines) if len(lines) > 2 else "Not measured."


def each_peer(rows: list[dict]) -> str:
    """Per library and cell: over the full points that it took part in, its time as a multiple of saiki's."""
    lines = ["| library | cell | pass | points | geometric mean | lowest |", "|" + "---|" * 6]
    for name, title in PEERS.items():
        for cell in TARGETS:
            for what in ("train", "forward"):
                of_cell = [r for r in rows if r["point"][0] == cell and f"{name}_{what}" in r]
                if found := [r[f"{name}_{what}"] / r[f"saiki_{what}"] for r in of_cell]:
                    lines.append(
                        f"| {title} | {cell} | {NAMES[what]} | {len(found)} | {geometric(found):.2f} | {min(found):.2f} |"
                    )
    return "\n".join(lines) if len(lines) > 2 else "Not measured."


def ragged_summary(rows: list[dict]) -> str:
    """Time of a ragged batch, divided by the full batch's time and by its share of the steps: 1 means no waste."""
    lines = [
        "| point | share of steps | packed, forward | forward + backward | padded, forward | forward + backward "
        "| times torch.nn, forward + backward |",
        "|" + "---|" * 7,
    ]
    for row in rows:
        if "full_train" in row:
            share, costs = costs_of_ragged(row)
            shown = " | ".join(f"{c:.2f}" if c <= 1.15 else f"**{c:.2f}**" for c in costs)
            lines.append(f"| {row['key']} | {share:.2f} | {shown} | {ratio(row, 'train'):.2f} |")
    return "\n".join(lines)


def costs_of_ragged(row: dict) -> tuple[float, list[float]]:
    """The share of valid steps, and time over that share of the full batch's: packed, then padded; forward, then both."""
    _, batch, steps, _, _ = row["point"]
    share = row["steps"] / (batch * steps)
    names = [(how, what) for how in ("saiki", "padded") for what in ("forward", "train")]
    return share, [row[f"{how}_{what}"] / row[f"full_{what}"] / share for how, what in names]


def ragged_in_short(rows: list[dict]) -> str:
    measured = [costs_of_ragged(r)[1] for r in rows if "full_train" in r]
    if not measured:
        return "Not measured."
    columns = ("packed, forward", "packed, forward + backward", "padded, forward", "padded, forward + backward")
    parts = [
        f"{name}: median {statistics.median(column):.2f}, worst {max(column):.2f}, "
        f"{sum(c > 1.15 for c in column)} of {len(column)} above 1.15"
        for name, column in zip(columns, zip(*measured, strict=True), strict=True)
    ]
    return "; ".join(parts) + "."


def every_point(rows: list[dict]) -> str:
    head = "| point | forward | best other | GFLOP/s | forward + backward | best other | GFLOP/s | torch, ms | saiki, ms | others |"
    lines = [head, "|" + "---|" * 10]
    for r in rows:
        rates = [r["gflop"] / r["saiki_forward"], 3 * r["gflop"] / r["saiki_train"]]
        forward, train = (f"{mark(ratio(r, what))} | {beside_best(r, what)}" for what in ("forward", "train"))
        lines.append(
            f"| {r['key']} | {forward} | {rates[0]:.0f} | {train} | {rates[1]:.0f} "
            f"| {1e3 * r['torch_train']:.2f} | {1e3 * r['saiki_train']:.2f} | {r['others']:.0%} |"
        )
    return "\n".join(lines)


def beside_best(row: dict, what: str) -> str:
    value, name = best(row, what)
    return mark(value) + f" {name}" if any(f"{peer}_{what}" in row for peer in PEERS) else "–"


def mark(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"**{value:.2f} slower**"


def page(rows: list[dict], points: int) -> str:
    """The whole page, from the rows of one number of threads; the grid has so many `points`."""
    facts = rows[0]
    commits = sorted({r["commit"] for r in rows})
    disturbed = sum(r["others"] > CALM for r in rows)
    return f"""# Speed beside torch.nn

Written by `python benchmarks/speed.py`. {facts["machine"]}, {facts["cores"]} cores, {facts["threads"]} threads; instruction set
{facts["isa"]}; torch {facts["torch"]}; commit {", ".join(commits)}; float32, input size = width, one layer, one direction. The
micro-kernel alone reaches {max(r["micro_kernel_gflops"] for r in rows)} GFLOP/s on one core.

Figures are torch's median time divided by saiki's in the same run (above 1: saiki is faster), Python included. In a point's name
b is the batch, t the steps, w the width, the last number the threads. "Others" is the share of the processors that other
programs took meanwhile; {len(rows)} of {points} points are measured, {disturbed} of them with
more than {CALM:.0%} of that, to be read with care.

## In short

{summary(rows)}

Beside the fastest of torch and {" and ".join(title for name, title in PEERS.items() if any(f"{name}_forward" in r for r in rows))}
(ONNX Runtime forward alone), of those that a full point was measured with; "best other" below names it.

{peer_summary(rows)}

Each of them by itself, at the points that it took part in; without gradients where it has none:

{each_peer(rows)}

## Ragged batches

Lengths uniform in 1 .. t. Time relative to the full batch's in the same run, per valid step: 1 means that padding costs
nothing. Packed: a `PackedSequence`. Padded: `lengths=`, rows in any order; the padding of the results is written with zeros.
Small batches of narrow layers cost most: what each call and each step costs is not shared by as many rows.
{ragged_in_short(rows)}

{ragged_summary(rows)}

## Every point

{every_point(rows)}
"""
