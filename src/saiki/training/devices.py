"""Where training computes: plain Torch on one device, in either precision, or lightning-fabric for several devices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from saiki.errors import MissingExtraError, OptionError
from saiki.training.options import Training


def move(batch: Any, device: torch.device | str) -> Any:
    """Every tensor of a dictionary of tensors on `device`."""
    return {k: v.to(device) if isinstance(v, Tensor) else v for k, v in batch.items()}


class Backend:
    """Plain Torch on one device."""

    #: number of this process among those that train together
    rank = 0

    def __init__(self, device: str, precision: str = "32") -> None:
        self.device, self.precision = torch.device(device), precision

    def setup(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        network.to(self.device)
        return network, optimizer

    def seed(self, seed: int) -> None:
        # torch.manual_seed formats a stack trace for each kind of device: half a millisecond
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def move(self, batch: Any) -> Any:
        return batch if self.device.type == "cpu" else move(batch, self.device)

    def autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "32":
            return nullcontext()
        # bfloat16 reaches as far as float32: no scaling of losses
        return torch.autocast(self.device.type, torch.bfloat16)

    def backward(self, loss: Tensor) -> None:
        loss.backward()


class FabricBackend(Backend):
    """Several devices, which is untested: no such machine was at hand."""

    def __init__(self, options: Training) -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError as error:
            raise MissingExtraError("lightning-fabric", "devices", "several devices") from error
        self.fabric = Fabric(accelerator=options.device, devices=options.devices, precision=options.precision)
        self.fabric.launch()
        self.device, self.rank = self.fabric.device, self.fabric.global_rank

    def setup(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        wrapped, optimizer = self.fabric.setup(network, optimizer)
        return wrapped, optimizer

    def autocast(self) -> AbstractContextManager[Any]:
        return self.fabric.autocast()

    def backward(self, loss: Tensor) -> None:
        self.fabric.backward(loss)

    def move(self, batch: Any) -> Any:
        return self.fabric.to_device(batch)


def backend(options: Training) -> Backend:
    """Fabric only where it is needed: importing it takes seconds. OptionError for a device that is not there."""
    if options.devices > 1:
        return FabricBackend(options)
    try:
        torch.empty(1, device=options.device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).split("\n", 1)[0].split(". ", 1)[0]
        raise OptionError(f"device {options.device!r} cannot be used here ({why}); use --device cpu") from error
    return Backend(options.device, options.precision)
