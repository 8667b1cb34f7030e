"""saiki: recurrent networks for sequence data on ordinary computers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: public name -> module that holds it; imported on first use, so that `import saiki` imports no Torch
_PUBLIC = {
    "train": "saiki.fitting",
    "load": "saiki.model",
    "fit": "saiki.training.arrays",
    "predict": "saiki.training.arrays",
    "Model": "saiki.model",
    "Forecaster": "saiki.forecaster",
    "Forecast": "saiki.tasks.forecast",
    "Network": "saiki.network.options",
    "Training": "saiki.training.options",
    "Ragged": "saiki.sequence",
    "Batch": "saiki.sequence",
    "Record": "saiki.record",
    "SaikiError": "saiki.errors",
    "DataError": "saiki.errors",
    "OptionError": "saiki.errors",
    "ModelError": "saiki.errors",
}
_MODULES = (
    "nn",
    "reservoir",
    "cells",
    "network",
    "training",
    "tasks",
    "metrics",
    "baselines",
    "readers",
    "data",
    "modalities",
)

__all__ = [*_PUBLIC, *_MODULES, "__version__"]

if TYPE_CHECKING:
    from saiki import nn as nn
    from saiki.errors import DataError as DataError
    from saiki.errors import ModelError as ModelError
    from saiki.errors import OptionError as OptionError
    from saiki.errors import SaikiError as SaikiError
    from saiki.fitting import train as train
    from saiki.forecaster import Forecaster as Forecaster
    from saiki.model import Model as Model
    from saiki.model import load as load
    from saiki.network.options import Network as Network
    from saiki.record import Record as Record
    from saiki.sequence import Batch as Batch
    from saiki.sequence import Ragged as Ragged
    from saiki.tasks.forecast import Forecast as Forecast
    from saiki.training.arrays import fit as fit
    from saiki.training.arrays import predict as predict
    from saiki.training.options import Training as Training


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"saiki.{name}")
    raise AttributeError(f"module 'saiki' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
