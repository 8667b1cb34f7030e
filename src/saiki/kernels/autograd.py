"""Functions of autograd that cost less to call, and stand-ins for tensors that others depend on."""

from __future__ import annotations

from typing import Any, overload

import torch
from torch import Tensor, nn


class EagerFunction(torch.autograd.Function):
    """A function that is not called where a transform of `torch.func` is active (see `saiki.network.unroll.obstacle`)."""

    @classmethod
    def apply(cls, *given: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Without a look for what such transforms leave behind."""
        return super(torch.autograd.Function, cls).apply(*given)


@overload
def alias(tensor: Tensor) -> Tensor: ...
@overload
def alias(tensor: None) -> None: ...
def alias(tensor: Tensor | None) -> Tensor | None:
    """The same numbers as a tensor of its own: a gradient with respect to it is none with respect to what it was made of.

    So a function of several tensors, some of which depend on others or are the same, is differentiated with respect to each place.
    """
    return None if tensor is None else tensor.view_as(tensor)


def alias_module(module: Any) -> Any:
    """A module that shares everything with this one but its parameters, which are aliases, and its modules, which are such."""
    other: nn.Module = object.__new__(type(module))
    own = {name: alias(weight) for name, weight in module._parameters.items()}
    inner = {name: part and alias_module(part) for name, part in module._modules.items()}
    other.__dict__.update(module.__dict__, _parameters=own, _modules=inner)
    return other
