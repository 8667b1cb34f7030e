"""One step at a time in native code: for streams, where a call into an operator costs more than the step itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saiki.errors import SaikiError
from saiki.kernels.table import native, why_no_native


class NativeStream:
    """One sequence that arrives step by step.

        y_t, s_t = cell(x_t, s_{t-1})

    The weights are copied when the stream is made: later changes to them are not seen. Not for several threads at once;
    wide layers, whose weights no cache of one core holds, are shared among as many threads as torch has when it is made.

    Args:
        kernel: name of a row of `saiki.kernels.table`.
        weights: weight_ih, weight_hh, bias_ih, bias_hh.
    """

    def __init__(self, kernel: str, weights: Sequence[Tensor | None]) -> None:
        if native is None:
            raise SaikiError(why_no_native)
        given = tuple(None if w is None else w.detach().contiguous() for w in weights)
        self._stream = native.Stream(kernel, given, torch.get_num_threads())
        self._push = self._stream.push
        self._empty = torch.empty(given[1].shape[1], dtype=given[1].dtype)
        self._states = 2 if kernel == "lstm" else 1

    def push(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """The output [width] of one more step with input x [features], written to `out` if given."""
        y = self._empty.clone() if out is None else out
        self._push(x, y)
        return y

    @property
    def state(self) -> tuple[Tensor, ...]:
        """A copy of the state, each part [width]; assigning sets it. A new stream begins at zero."""
        parts = tuple(torch.empty_like(self._empty) for _ in range(self._states))
        for number, part in enumerate(parts):
            self._stream.state(number, part, False)
        return parts

    @state.setter
    def state(self, parts: Sequence[Tensor]) -> None:
        if len(parts) != self._states:
            raise SaikiError(f"state: got {len(parts)} parts; expected {self._states}")
        for number, part in enumerate(parts):
            self._stream.state(number, part.detach().to(self._empty.dtype).contiguous(), True)
