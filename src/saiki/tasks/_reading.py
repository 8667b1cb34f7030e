"""Truncated back-propagation over a long text: many places of it are read side by side, with the state carried on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saiki.data.tokens import Tokens
from saiki.errors import DataError
from saiki.modalities.text import END
from saiki.network.language import LanguageModel
from saiki.network.stack import States
from saiki.training.bptt import Carry

#: lines that a text to be judged is read in; every line but the first begins with the end of the line before it
LINES = 32
#: units that a line of a judged text reads before its own, so that it knows its past
WARM_UP = 500
#: units of the validation score at most; it steers training, the full score is taken at the end
MOST_VALIDATED = 50_000
#: probability that a stretch goes on from the state of a beginning instead of the carried one, in each step
FRESH = 0.03
#: units that are judged at once
TOGETHER = 256


class ReadingProblem:
    """A text in `batch` equal stretches, read side by side, `bptt` units at a step; the state is carried from step to step.

    An epoch is the text once. Every epoch begins at another place, drawn from the seed, with the states of a beginning. So does now
    and then a stretch amid it: units that latch early would else keep their value for the whole epoch, the network would learn
    with them, and know nothing from a fresh state, which is where writing and judging start.
    """

    def __init__(self, text: Tokens, held: Tokens | None, batch: int, bptt: int, seed: int) -> None:
        if len(text) < 3:
            raise DataError(f"the training text has {len(text)} units; expected at least 3")
        self.text, self.held, self.seed = text, held, seed
        self.batch = max(1, min(batch, (len(text) - 1) // 2))
        self.bptt = max(1, min(bptt, (len(text) - 1) // self.batch))
        self.stretch = (len(text) - 1) // self.batch
        self.epoch = max(1, self.stretch // self.bptt)
        self.carry = Carry()

    def draw(self, rng: np.random.Generator, step: int) -> dict[str, Any]:
        """The next units of every stretch, and those that follow each of them."""
        epoch, part = divmod(step, self.epoch)
        shift = int(np.random.default_rng([self.seed, epoch]).integers(0, len(self.text)))
        start = np.arange(self.batch) * self.stretch + part * self.bptt + shift
        place = (start[:, None] + np.arange(self.bptt + 1)) % len(self.text)
        units = torch.from_numpy(np.asarray(self.text.values[place], np.int64))
        fresh = torch.from_numpy(rng.random(self.batch) < FRESH)
        return {"units": units[:, :-1], "following": units[:, 1:], "begins": part == 0, "fresh": fresh}

    def loss(self, network: nn.Module, batch: dict[str, Any]) -> Tensor:
        """Mean surprise in nats per unit, and what else training lowers."""
        if batch["begins"]:
            self.carry.reset()
        states = self.carry.given(network, batch["units"])
        if states is not None and batch["fresh"].any():
            states = _where(batch["fresh"], network.initial_state(len(batch["fresh"])), states)  # type: ignore[operator]
        loss, after = network.loss(batch["units"], batch["following"], states)  # type: ignore[operator]
        self.carry.keep(after)
        return loss

    def validate(self, network: nn.Module) -> float:
        """Mean surprise of the held-out text in nats per unit, of its first MOST_VALIDATED units; NaN without one."""
        return float("nan") if self.held is None else float(surprises(network, self.held, most=MOST_VALIDATED).mean())


@torch.no_grad()
def surprises(
    network: Any, text: Tokens, lines: int = LINES, opening: int = END, most: int | None = None
) -> np.ndarray:
    """-log p of every unit of a text in nats: `[units]`, of the first `most` where that is given.

    The first unit is judged as if it followed the unit `opening`.

    One line reads the whole text with its state carried from the first unit to the last. Several lines read stretches of it
    side by side, which is faster; every one first reads the WARM_UP units before its own, which tell nearly all of the past.
    """
    model: LanguageModel = network.eval()
    total = min(len(text), most or len(text))
    lines = max(1, min(lines, total // (2 * WARM_UP)))
    stretch = -(-total // lines)
    warm = WARM_UP if lines > 1 else 0
    answer = np.empty(total, np.float32)
    begins = np.arange(lines) * stretch
    states, device = None, next(model.parameters()).device
    for at in (*range(-warm, 0, TOGETHER), *range(0, stretch, TOGETHER)):
        width = min(TOGETHER, (0 if at < 0 else stretch) - at)
        place = begins[:, None] + at + np.arange(-1, width)
        inside = (place >= 0) & (place < total)
        units = np.where(inside, text.values[np.clip(place, 0, total - 1)], opening).astype(np.int64)
        told = torch.from_numpy(units).to(device)
        if at == 0 and states is not None:
            states = _where(torch.arange(lines, device=device) == 0, model.initial_state(lines), states)
        h, states = model(told[:, :-1], states)
        found = model.surprise(h, told[:, 1:]).reshape(lines, width).cpu().numpy()
        own = inside[:, 1:] & (np.arange(at, at + width) >= 0)
        answer[place[:, 1:][own]] = found[own]
    return answer


def _where(rows: Tensor, first: States, states: States) -> States:
    """States of a beginning in these rows, of one's own in the others."""

    def part(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(rows.view(-1, *[1] * (old.dim() - 1)), new, old)

    return [
        [type(s)(*map(part, f, s)) for f, s in zip(start, layer, strict=True)]
        for start, layer in zip(first, states, strict=True)
    ]
