"""From the length of a text and the budget to the sizes of a language model and its training."""

from __future__ import annotations

from typing import Any

import torch

from saiki.kernels.table import native
from saiki.training.options import Training

#: widths that are tried, widest first
WIDTHS = (768, 640, 512, 448, 384, 320, 256, 192, 128, 96, 64)
#: additions and multiplications per second that one thread makes in training, by instruction set of the kernels, from 44 minutes
#: of AMD EPYCs, 148e9 on two threads with AVX-512 (Zen 4), 136e9 with AVX2 (Zen 3); constants, so that a stopped run finds the same
RATES = {"v4": 7e10, "v3": 6.5e10}
LOWEST_RATE = 1.5e10  # a guess: no vectors, or no kernels at all
#: a width is affordable if training reads the text so often, or so many units per weight
PASSES, PER_WEIGHT = 10.0, 4.0
#: units above which training scores some of them only, and how many of them those are, roughly
SAMPLED_ABOVE, SAMPLED = 6000, 3500
#: share of a budget that training has: the rest is start-up, validation and the baselines
SHARE = 0.85
#: learning rate up to this width; 512 units do not hold it
HIGHEST_RATE, WIDE = 6e-3, 384
#: width from which models of words drop the most
WIDEST_DROPPED = 512
#: passes from which words are read by so few stretches side by side: more and smaller steps learn less by heart
OFTEN, FEW_STRETCHES = 5.0, 16
#: units that gradients go back
BPTT = 100
#: passes over the text at most where the budget is one of time
MOST_EPOCHS = 60
#: occurrences that a group needs of a text read twice at most, and of one that is read ten times
FEWEST = (5, 20)
#: share of the places without vectors of groups, of a text that is read ten times
GROUP_DROPOUT = 0.5
#: share of the training after which weight decay has taken a weight to a third, of a text that is read often
FORGETTING = 0.5
#: weight decay of a text that is read twice at most, and the highest
LEAST_DECAY, MOST_DECAY = 0.01, 0.3
#: numbers that the vectors of all groups have together at most
GROUP_NUMBERS = 200_000 * 64
#: steps between checkpoints, which have the vectors of all groups five times
CHECKPOINT_EVERY = 200


def rate() -> float:
    """Additions and multiplications per second of all threads."""
    own = RATES.get(native.isa(), LOWEST_RATE) if native is not None else LOWEST_RATE
    return own * torch.get_num_threads()


def softmax_for(units: int) -> str:
    """Which softmax a vocabulary of so many units has, where none is asked for."""
    return "sampled" if units > SAMPLED_ABOVE else "full"


def weights(width: int, layers: int, units: int, softmax: str) -> int:
    """Weights that a step of a GRU multiplies."""
    embedding, scored = embedding_for(units, width), units if softmax == "full" else min(units, SAMPLED)
    return 3 * width * (embedding + width) + (layers - 1) * 6 * width * width + width * scored


def width_for(tokens: int, units: int, softmax: str, training: Training, layers: int) -> int:
    """The widest network that the budget can train well."""
    seconds = training.seconds
    if seconds is None:
        return 256 if tokens >= 200_000 else 128
    for width in WIDTHS:
        count = weights(width, layers, units, softmax)
        read = SHARE * seconds * rate() / (6 * count)
        if read >= min(PASSES * tokens, PER_WEIGHT * count):
            return width
    return WIDTHS[-1]


def embedding_for(units: int, width: int) -> int:
    """Numbers per unit: few for characters, as wide as the network for words."""
    return min(width, 64) if units <= 512 else width


def passes(tokens: int, units: int, softmax: str, training: Training, width: int, layers: int) -> float:
    """How often training reads the text, roughly."""
    if training.epochs is not None:
        return float(training.epochs)
    if training.steps is not None:
        batch = training.batch if "batch" in training.model_fields_set else batch_for(tokens)
        return training.steps * batch * (training.bptt or BPTT) / max(1, tokens)
    assert training.seconds is not None
    count = weights(width, layers, units, softmax)
    most = training.most_epochs if "most_epochs" in training.model_fields_set else MOST_EPOCHS
    return min(SHARE * training.seconds * rate() / (6 * count) / max(1, tokens), most)


def network_defaults(passes: float, words: bool, width: int) -> dict[str, Any]:
    """Dropout grows with how often the text is read, and of words with the width: a text read once cannot be learned by heart.

    Zaremba et al. 2014 (arXiv 1409.2329) drop nothing at 200 units and half at 650.
    """
    often = _often(passes)
    dropout = round((0.5 * min(1.0, width / WIDEST_DROPPED) if words else 0.25) * often, 2)
    return {"cell": "gru", "layers": 2, "dropout": dropout}


def fewest(passes: float) -> int:
    """How often a group must occur to have a vector: one that is rare, and read often, is learned by heart."""
    rare, common = FEWEST
    return round(rare + (common - rare) * _often(passes))


def most_groups(units: int, width: int, numbers: int | None = None) -> int:
    """Groups that have a vector at most: fewer where vectors are as wide as the network, or a step would be spent on them."""
    return max(1, GROUP_NUMBERS // (numbers or max(64, embedding_for(units, width))))


def group_dropout(passes: float) -> float:
    """Share of the places without the vectors of their groups, which are learned by heart first."""
    return round(GROUP_DROPOUT * _often(passes), 2)


def weight_decay(passes: float, steps: float, learning_rate: float) -> float:
    """Little for a text that is read twice at most; of others so much that weights forget within a share of the training.

    Source: the timescale 1 / (learning rate · decay) of Wang and Aitchison 2024 (arXiv 2405.13698).
    """
    if passes <= 2:
        return LEAST_DECAY
    return float(f"{min(MOST_DECAY, max(LEAST_DECAY, 1 / (learning_rate * FORGETTING * steps))):.2g}")


def _often(passes: float) -> float:
    """From 0, where a text is read twice, to 1, where it is read ten times."""
    return min(1.0, max(0.0, (passes - 2) / 8))


def batch_for(tokens: int) -> int:
    """Stretches read side by side: fewer of a short text, so that an epoch has steps enough."""
    return 64 if tokens >= 5_000_000 else 32 if tokens >= 50_000 else 16


def training_defaults(passes: float, tokens: int, width: int, words: bool, counted: bool) -> dict[str, Any]:
    """Wide networks take smaller steps; a text that is read often needs weights that are pulled to zero, and of words smaller
    batches; not where steps are `counted`, which are of the usual size."""
    rate, batch = float(f"{HIGHEST_RATE * min(1.0, WIDE / width) ** 2:.2g}"), batch_for(tokens)
    batch = min(batch, FEW_STRETCHES) if words and passes >= OFTEN and not counted else batch
    decay = weight_decay(passes, passes * tokens / (batch * BPTT), rate)
    return {
        "batch": batch, "bptt": BPTT, "learning_rate": rate, "average": 0.998, "weight_decay": decay,
        "most_epochs": MOST_EPOCHS, "validations": 10, "patience": 4, "checkpoint_every": CHECKPOINT_EVERY,
    }  # fmt: skip
