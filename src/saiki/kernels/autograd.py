"""Functions of autograd that cost less to call."""

from __future__ import annotations

from typing import Any

import torch


class EagerFunction(torch.autograd.Function):
    """A function that is not called where a transform of `torch.func` is active (see `saiki.network.unroll.obstacle`)."""

    @classmethod
    def apply(cls, *given: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Without a look for what such transforms leave behind."""
        return super(torch.autograd.Function, cls).apply(*given)
