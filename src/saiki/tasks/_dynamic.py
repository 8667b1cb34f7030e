"""Dynamic evaluation: a language model that goes on learning from the text that it is judged on, as it reads it."""

from __future__ import annotations

import copy

import numpy as np
import torch

from saiki.network.language import LanguageModel
from saiki.shapes import Float, Int
from saiki.tasks._evaluation import Evaluation, Table
from saiki.training.bptt import Carry

#: units after which the weights move
SEGMENT = 50
#: how far, by Adam without momentum; how much of the way back to what training found each time
RATE, BACK = 2e-4, 1e-3
#: share of the squared gradients that is kept from segment to segment
SQUARES = 0.999


@torch.enable_grad()
def surprises(
    network: LanguageModel, units: Int[np.ndarray, "units"], opening: int, segment: int = SEGMENT, rate: float = RATE
) -> Float[np.ndarray, "units"]:
    """-log p of every unit of a text in nats, by a copy of the network that learns from each segment once it has been judged.

        w ← w - rate · ĝ / (√v̂ + ε)       g: gradient of the segment's mean surprise; v: running mean of g², as in Adam
        w ← w + back · (w_trained - w)

    The text begins after the unit `opening`. Vectors of groups of units stay as they are: most groups are met once.

    Source: Krause et al. 2018, "Dynamic evaluation of neural sequence models" (arXiv 1709.07432), section 4.2 with the decay
    of 4.3; there with the squared gradients of the training text, here with those of the text so far.
    """
    model: LanguageModel = copy.deepcopy(network).eval()
    learn = [weight for name, weight in model.named_parameters() if not name.startswith("grams.")]
    model.requires_grad_(False)
    for weight in learn:
        weight.requires_grad_(True)
    moving, trained = [weight.detach() for weight in learn], [weight.detach().clone() for weight in learn]
    device, carry = learn[0].device, Carry()
    optimiser = torch.optim.Adam(learn, lr=rate, betas=(0.0, SQUARES), fused=device.type in ("cpu", "cuda"))
    text = torch.from_numpy(np.append(np.int64(opening), units))[None].to(device)
    found = np.empty(len(units), np.float32)
    for start in range(0, len(units), segment):
        end = min(len(units), start + segment)
        told = text[:, start:end]
        h, after = model(told, carry.given(model, told))
        surprise = model.surprise(h, text[:, start + 1 : end + 1])
        found[start:end] = surprise.detach().cpu().numpy()
        optimiser.zero_grad()
        surprise.mean().backward()
        optimiser.step()
        for weight, first in zip(moving, trained, strict=True):
            weight.lerp_(first, BACK)
        carry.keep(after)
    return found


def show(evaluation: Evaluation, scores: dict[str, float]) -> None:
    """Put what the learning copy scored beside what the model itself scored."""
    rows = [["as trained", evaluation.scores["saiki"]], ["learning as it reads", scores]]
    names = list(scores)
    evaluation.tables.append(
        Table(
            "Learning from the text",
            ["", *names],
            [[who, *(f"{told[name]:.4g}" for name in names)] for who, told in rows],
            f"{SEGMENT} units at a time, each after it was judged; the model itself stays as it is",
        )
    )
    evaluation.details["adaptive"] = scores
