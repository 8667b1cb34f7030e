"""What a forecast says in columns: points, intervals of any level, sample paths; and the errors that calibrate them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from saiki import metrics
from saiki.data.panel import Panel
from saiki.data.windows import WindowBatch
from saiki.errors import DataError, OptionError
from saiki.network.forecaster import Outlook
from saiki.shapes import Float, Int
from saiki.tasks import _theta_share
from saiki.tasks._calibration import generators

if TYPE_CHECKING:
    from saiki.tasks._forecasting import ForecastTask

#: windows that are forecast together
TOGETHER = 1024
#: steps of the ladder of quantiles that sample paths are drawn from
GRID = 200


def held_out_errors(task: ForecastTask, network: nn.Module, panel: Panel, series: np.ndarray, ends: np.ndarray) -> Any:
    """Errors on these windows in the widths that the network gives them, `[windows, horizon]`; None if no truth is known."""
    windows = task.windows(panel)
    errors = []
    for part in np.array_split(np.arange(len(series)), -(-len(series) // TOGETHER)):
        cut = windows.cut(series[part], ends[part])
        found = look(task, network, cut)
        point, low, high = (v.numpy() for v in found.widths(task.plan.levels))
        target = torch.from_numpy(cut.target)
        away = found.scale.inward(torch.where(target.isfinite(), target, 1)).numpy() - point
        away = np.where(np.isfinite(cut.target), away / np.where(away < 0, low, high), np.nan)
        errors.append(np.where(np.isfinite(cut.y).any(1, keepdims=True), away, np.nan))
    together = np.concatenate(errors).astype(np.float32).astype(float)  # as it is saved
    return together if np.isfinite(together).any() else None


def usual_widths(
    task: ForecastTask, network: nn.Module, panel: Panel, series: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The median widths below and above the point that the network gives these windows, in their units: `[horizon]` each."""
    windows, low, high = task.windows(panel), [], []
    for part in np.array_split(np.arange(len(series)), -(-len(series) // TOGETHER)):
        _, below, above = look(task, network, windows.cut(series[part], ends[part])).widths(task.plan.levels)
        low.append(below.numpy())
        high.append(above.numpy())
    return np.median(np.concatenate(low), 0), np.median(np.concatenate(high), 0)


def check_logarithms(task: ForecastTask, y: np.ndarray) -> None:
    """DataError for values below 0 where the model reads logarithms."""
    if task.plan.log and (y < 0).any():
        raise DataError(
            "the model reads logarithms, since all values were positive in training, but here some are below 0 "
            f"({float(np.nanmin(y)):g} for one); train anew on data that has such values, or with --no-log"
        )


def look(task: ForecastTask, network: nn.Module, cut: WindowBatch) -> Outlook:
    """What the model says of these windows: the network, and Theta with its share."""
    check_logarithms(task, cut.y)
    network.eval()
    with torch.no_grad():
        return _theta_share.beside(task, network(task.tensors(cut)), cut)


def of_batch(
    task: ForecastTask,
    network: nn.Module,
    cut: WindowBatch,
    levels: Sequence[float],
    samples: int = 0,
    names: Sequence[Any] = (),
) -> dict[str, np.ndarray]:
    """Columns `saiki`, `saiki-lo-80`, …, `saiki-sample-1`, … as `[windows, horizon]`; NaN where nothing was observed.

    names  of the series of each window, by which its sample paths are drawn
    """
    found = look(task, network, cut)
    known = np.isfinite(cut.y).any(1, keepdims=True)
    apart = bands(task, found, levels)
    few = task.calibration.too_few(rows_before(cut.y))[:, None]
    columns = {"saiki": floored(task, found, found.points().double().numpy())} | {
        name: np.where(few, np.nan, end) for name, end in apart.items()
    }
    columns |= paths(task, found, samples, names)
    return {name: np.where(known, values, np.nan) for name, values in columns.items()}


def rows_before(y: Float[np.ndarray, "windows time"]) -> Int[np.ndarray, "windows"]:
    """Rows of each window from the first that was observed on."""
    seen = np.isfinite(y)
    return np.where(seen.any(1), y.shape[1] - seen.argmax(1), 0)


def notes(task: ForecastTask, panel: Panel, columns: dict[str, np.ndarray]) -> list[str]:
    """What a user should know of the forecasts of these series: which have none, and which have no intervals."""
    nothing = np.asarray(np.isnan(columns["saiki"]).all(1))
    low = next((values for name, values in columns.items() if name.startswith("saiki-lo-")), columns["saiki"])
    bare = np.asarray(~nothing & np.isnan(low).all(1))
    told, count = [], len(panel)
    if nothing.any():
        told.append(f"{_some(panel, nothing)} of {count:,} have no known value, and no forecast.")
    if bare.any():
        told.append(
            f"{_some(panel, bare)} of {count:,} have too few rows for intervals: they were calibrated on at least "
            f"{task.calibration.least} rows before a forecast."
        )
    return told


def _some(panel: Panel, which: np.ndarray) -> str:
    """How many series, and the first of them."""
    return f"{int(which.sum()):,} series (the first is {str(panel.ids[int(which.argmax())])!r})"


def bands(task: ForecastTask, outlook: Outlook, levels: Sequence[float]) -> dict[str, np.ndarray]:
    """Both ends of each interval in data units; calibrated where errors on held-out windows are known."""
    found: dict[str, np.ndarray] = {}
    point, low, high = outlook.widths(task.plan.levels)
    for level in levels:
        ends = [f"saiki-{side}-{level:g}" for side in ("lo", "hi")]
        own = _uncalibrated(task, outlook, level) if task.calibration.errors is None else None
        if own is not None:
            found |= {name: floored(task, outlook, end) for name, end in zip(ends, own, strict=True)}
            continue
        for name, away, width in zip(ends, task.calibration.ends(level), (low, high), strict=True):
            found[name] = data_units(task, outlook, point + torch.from_numpy(away) * width)
    return found


def _uncalibrated(task: ForecastTask, outlook: Outlook, level: float) -> list[np.ndarray] | None:
    """Both ends as the network gives them: of a distribution at any level, else where the level was trained; None elsewhere."""
    tails = (0.5 - level / 200, 0.5 + level / 200)
    if outlook.shape is not None:
        return list(np.moveaxis(_quantiles(outlook, tails), -1, 0))
    if outlook.quantiles is None or level not in task.options.level:
        return None
    trained = outlook.bands().double().numpy()
    return [trained[..., int(np.argmin(np.abs(np.array(task.plan.levels) - p)))] for p in tails]


def _quantiles(outlook: Outlook, levels: tuple[float, ...]) -> np.ndarray:
    """Quantiles of the distribution in data units; counts are whole, which the way through window units leaves them nearly."""
    values = outlook.bands(levels).numpy()
    return np.round(values) if outlook.distribution == "negative_binomial" else values


def data_units(task: ForecastTask, outlook: Outlook, inner: Tensor) -> np.ndarray:
    """Window units in data units."""
    return floored(task, outlook, outlook.scale.outward(inner).double().numpy())


def floored(task: ForecastTask, outlook: Outlook, values: np.ndarray) -> np.ndarray:
    """Values in data units; counts, and what is never below 0 and often 0, are never below it."""
    return np.maximum(values, 0) if task.plan.floor or outlook.distribution == "negative_binomial" else values


def paths(task: ForecastTask, outlook: Outlook, samples: int, names: Sequence[Any]) -> dict[str, np.ndarray]:
    """Sample paths in data units, of each series by itself: the forecast plus whole error paths of held-out windows."""
    if not samples:
        return {}
    if task.calibration.errors is None and outlook.shape is not None:
        found = [floored(task, outlook, path) for path in _drawn(outlook, samples, names)]
    else:
        point, low, high = (v.numpy() for v in outlook.widths(task.plan.levels))
        moved = (
            point + e * np.where(e < 0, low, high) for e in np.moveaxis(task.calibration.paths(samples, names), 1, 0)
        )
        found = [data_units(task, outlook, torch.from_numpy(path)) for path in moved]
    whole = outlook.distribution == "negative_binomial"
    return {f"saiki-sample-{number}": np.round(path) if whole else path for number, path in enumerate(found, 1)}


def _drawn(outlook: Outlook, samples: int, names: Sequence[Any]) -> Iterator[np.ndarray]:
    """Paths whose steps are drawn from their distributions, each by itself: for a model without errors on held-out windows."""
    ladder = _quantiles(outlook, tuple((np.arange(GRID) + 0.5) / GRID))
    places = np.stack([rng.integers(GRID, size=(samples, ladder.shape[1])) for rng in generators(names)])
    return (np.take_along_axis(ladder, places[:, path, :, None], 2)[..., 0] for path in range(samples))


#: the interval one standard deviation to both sides
ONE_SIGMA = 68.26894921370858


def crps_levels(task: ForecastTask) -> tuple[float, ...]:
    """Intervals that `crps` looks at; none where the model has no distribution."""
    if task.calibration.errors is None and task.plan.distribution == "quantiles":
        return ()
    return (ONE_SIGMA,) if _closed(task) else metrics.crps.LEVELS


def _closed(task: ForecastTask) -> bool:
    """Whether the CRPS has its closed form: of an uncalibrated Gaussian in data units."""
    return task.calibration.errors is None and task.plan.distribution == "gaussian" and not task.plan.log


def crps(task: ForecastTask, found: dict[str, np.ndarray], truth: np.ndarray) -> float:
    """The CRPS of forecasts with the intervals of `crps_levels`."""
    ends = {side: [found[f"saiki-{side}-{v:g}"] for v in crps_levels(task)] for side in ("lo", "hi")}
    if _closed(task):
        return metrics.crps.gaussian(truth, found["saiki"], (ends["hi"][0] - ends["lo"][0]) / 2)
    return metrics.crps.from_quantiles(truth, [*ends["lo"][::-1], found["saiki"], *ends["hi"]])


def count(samples: int) -> int:
    """A number of paths; OptionError for what is none."""
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 0:
        raise OptionError(f"samples is {samples!r}; expected a number of paths")
    return samples
