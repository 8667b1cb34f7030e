"""Functions that `torch.compile` must not look into, marked without importing the compiler, which takes two seconds."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from torch._compile import _disable_dynamo


def not_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`torch.compiler.disable` where something is compiled in this process; the plain function before that."""
    disabled = _disable_dynamo(function)  # imports the compiler once it is called

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        run = disabled if "torch._dynamo" in sys.modules else function
        return run(*args, **kwargs)

    return call
