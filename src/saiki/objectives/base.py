"""What an objective of the task forecast may look at."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from saiki.errors import OptionError
from saiki.shapes import Float


class Judged(NamedTuple):
    """Forecast and truth side by side, in data units and in the window's units; truth is 0 where it is missing."""

    forecast: Float[Tensor, "batch horizon"]
    truth: Float[Tensor, "batch horizon"]
    inner: Float[Tensor, "batch horizon"]  # forecast in window units
    inner_truth: Float[Tensor, "batch horizon"]
    weight: Float[Tensor, "batch horizon"]  # 1 where the truth is observed, else 0
    spread: Float[Tensor, "batch 1"]  # of the window
    unit: Float[Tensor, "batch 1"]  # the series' in-sample error of the seasonal naive forecast
    log: bool  # window units are logarithmic
    naive: tuple[float, float]  # relative and scaled error of the seasonal naive forecast over the training part
    shape: Float[Tensor, "batch horizon parameters"] | None = None  # of the distribution around the forecast

    def parameters(self) -> Tensor:
        """The parameters of the distribution; OptionError where the network has none."""
        if self.shape is None:
            raise OptionError(
                "a likelihood needs a distribution; give --distribution the name of --loss, or leave --loss out"
            )
        return self.shape

    def mean(self, errors: Tensor) -> Tensor:
        """The mean over observed steps."""
        return (errors * self.weight).sum() / self.weight.sum().clamp_min(1)
