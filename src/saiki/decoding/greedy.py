"""The most probable token, every time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saiki.decoding import Step, select
from saiki.shapes import Int


@torch.no_grad()
def greedy(
    step: Step, state: Any, first: Int[Tensor, "rows"], *, end: int, length: int | Int[Tensor, "rows"]
) -> list[list[int]]:
    """Tokens after `first` of every row, up to `end` (which is left out) or `length` tokens, of all or of each. Rows that are done
    cost nothing."""
    rows = torch.arange(len(first), device=first.device)
    answers: list[list[int]] = [[] for _ in range(len(first))]
    most = torch.as_tensor(length, device=first.device).expand(len(first))
    tokens, count = first, 0
    while True:
        if (done := (most[rows] <= count) | ((tokens == end) & (count > 0))).any():
            on = (~done).nonzero().squeeze(1)
            rows, tokens, state = rows[on], tokens[on], select(state, on)
        if not len(rows):
            return answers
        scores, state = step(tokens, state)
        tokens, count = scores.argmax(1), count + 1
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            if token != end:
                answers[row].append(token)
