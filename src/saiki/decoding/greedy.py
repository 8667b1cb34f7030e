"""The most probable token, every time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saiki.decoding import Step, select
from saiki.shapes import Int


@torch.no_grad()
def greedy(step: Step, state: Any, first: Int[Tensor, "rows"], *, end: int, length: int) -> list[list[int]]:
    """Tokens after `first` of every row, up to `end` (which is left out) or `length` tokens. Rows that are done cost nothing."""
    rows = torch.arange(len(first), device=first.device)
    answers: list[list[int]] = [[] for _ in range(len(first))]
    tokens = first
    for _ in range(length):
        if not len(rows):
            break
        scores, state = step(tokens, state)
        tokens = scores.argmax(1)
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            if token != end:
                answers[row].append(token)
        if (tokens == end).any():
            on = (tokens != end).nonzero().squeeze(1)
            rows, tokens, state = rows[on], tokens[on], select(state, on)
    return answers
