"""Functions of autograd that cost less to call, and stand-ins for tensors that others depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn


class EagerFunction(torch.autograd.Function):
    """A function that is not called where a transform of `torch.func` is active (see `saiki.network.unroll.obstacle`)."""

    @classmethod
    def apply(cls, *given: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Without a look for what such transforms leave behind."""
        return super(torch.autograd.Function, cls).apply(*given)


def in_memory(tensor: Tensor) -> bool:
    """Whether a tensor on the CPU has numbers of its own: one that stands for a batch of tensors has none."""
    return torch._C._dispatch_keys(tensor).has(torch._C.DispatchKey.CPU)


def compact(tensor: Tensor) -> Tensor:
    """A tensor whose memory holds the numbers, one after the other: the imaginary part of a conjugate has a sign of its own."""
    return tensor if tensor.is_contiguous() and not tensor.is_neg() else tensor.resolve_neg().contiguous()


def beyond_kernels(grads: Iterable[Tensor | None]) -> bool:
    """In a backward pass: whether gradients are asked for that no kernel gives, those of gradients and whole batches of them."""
    return torch.is_grad_enabled() or not all(grad is None or in_memory(grad) for grad in grads)


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
    return _with(alias, module)


def held(module: Any) -> Any:
    """A module with the parameters that this one has now, whatever is put in their places later (`torch.func.functional_call`)."""
    return _with(lambda weight: weight, module)


def _with(change: Callable[[Any], Any], module: Any) -> Any:
    other: nn.Module = object.__new__(type(module))
    own = {name: change(weight) for name, weight in module._parameters.items()}
    inner = {name: part and _with(change, part) for name, part in module._modules.items()}
    other.__dict__.update(module.__dict__, _parameters=own, _modules=inner)
    return other
