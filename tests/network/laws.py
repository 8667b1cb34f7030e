"""What every stack of layers must keep."""

from __future__ import annotations

import torch
from torch import Tensor

from saiki.network.stack import Stack


def streaming_is_the_whole(stack: Stack, x: Tensor) -> None:
    """Steps pushed one by one give the outputs and the states of the whole sequences."""
    y, final = stack(x)
    states = stack.initial_state(len(x))
    for t in range(x.shape[1]):
        out, states = stack.step(x[:, t], states)
        torch.testing.assert_close(out, y[:, t])
    torch.testing.assert_close(states, final)
