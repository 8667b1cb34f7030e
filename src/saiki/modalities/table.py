"""Columns of a table: numbers are standardised, categories coded, times placed in the calendar, gaps flagged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from saiki.errors import DataError, OptionError
from saiki.modalities._calendar import DAY, calendar, cycles
from saiki.modalities._holidays import PREFIX, check

if TYPE_CHECKING:
    from saiki.data.columns import Columns
    from saiki.data.frequency import Frequency
    from saiki.data.panel import Panel
    from saiki.data.windows import WindowBatch


class TableOptions(BaseModel):
    """How the columns of a table become numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calendar: bool = Field(default=True, description="Tell the network the hour, the weekday, the day of the year, …")
    holidays: str | None = Field(default=None, description="Country whose public holidays the network is told.")
    categories: int = Field(
        default=256, ge=1, description="Values kept of a text column, the most frequent; others are unseen"
    )


@dataclass(frozen=True)
class RoleCodec:
    """The columns of one role, as fitted: `z = (x - mean) / scale` for numbers, code 1… for categories, 0 = unseen."""

    numeric: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    categorical: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    @classmethod
    def fit(cls, columns: Columns, categories: int) -> RoleCodec:
        """From the training part; a column without spread keeps its values as they are, less the mean."""
        numbers = columns.numbers
        count = np.maximum((~np.isnan(numbers)).sum(0), 1)
        mean = np.nansum(numbers, axis=0) / count
        scale = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / count)
        scale = np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1e-300), scale, 1.0)
        kept = []
        for codes, values in zip(columns.codes.T, columns.values, strict=True):
            often = np.bincount(codes[codes >= 0], minlength=len(values))
            best = np.sort(np.argsort(-often, kind="stable")[:categories])
            kept.append(tuple(values[i] for i in best if often[i]))
        return cls(columns.numeric, tuple(mean.tolist()), tuple(scale.tolist()), columns.categorical, tuple(kept))

    @property
    def width(self) -> int:
        """Features of the numbers: the values, then a flag for each that is missing."""
        return 2 * len(self.numeric)

    def encode(self, columns: Columns, role: str) -> tuple[np.ndarray, np.ndarray]:
        """float32 `[…, 2 · numeric]` (values, then missing flags) and int64 codes `[…, categorical]`."""
        self._check(columns, role)
        order = [columns.numeric.index(n) for n in self.numeric]
        z = (columns.numbers[..., order] - np.array(self.mean)) / np.array(self.scale)
        missing = np.isnan(z)
        features = np.concatenate([np.where(missing, 0.0, z), missing], axis=-1, dtype=np.float32, casting="unsafe")
        codes = np.zeros((*columns.codes.shape[:-1], len(self.categorical)), np.int64)
        for k, name in enumerate(self.categorical):
            if name not in columns.categorical:
                continue  # nothing but missing values
            source = columns.categorical.index(name)
            place = {value: code for code, value in enumerate(self.values[k], start=1)}
            table = np.array([place.get(v, 0) for v in columns.values[source]] + [0])  # the last is for -1, missing
            codes[..., k] = table[columns.codes[..., source]]
        return features, codes

    def known(self, columns: Columns, role: str) -> Columns:
        """The same columns as the fitted ones: categories numbered as in training, unseen ones missing."""
        _, codes = self.encode(columns, role)
        numbers = columns.numbers[..., [columns.numeric.index(n) for n in self.numeric]]
        names = {"numeric": self.numeric, "categorical": self.categorical, "values": self.values}
        return replace(columns, numbers=numbers, codes=(codes - 1).astype(np.int32), **names)

    def decode(self, features: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Back to values by column: NaN and None where they are missing or were unseen."""
        size = len(self.numeric)
        numbers = features[..., :size] * np.array(self.scale) + np.array(self.mean)
        numbers = np.where(features[..., size:] > 0.5, np.nan, numbers)
        found = {name: numbers[..., k] for k, name in enumerate(self.numeric)}
        for k, name in enumerate(self.categorical):
            found[name] = np.array([None, *self.values[k]], dtype=object)[codes[..., k]]
        return found

    def _check(self, columns: Columns, role: str) -> None:
        for wanted, have, other, kind in (
            (self.numeric, columns.numeric, columns.categorical, "numbers"),
            (self.categorical, columns.categorical, columns.numeric, "text"),
        ):
            for name in wanted:
                if name not in have and not (kind == "text" and columns.empty(name)):
                    got = f"it holds {'text' if kind == 'numbers' else 'numbers'}" if name in other else "it is absent"
                    raise DataError(f"{role} column {name!r}: the model was trained on {kind} there, but {got}")


@dataclass(frozen=True)
class TableCodec:
    """The fitted columns of a table; nothing in it belongs to a single series."""

    past: RoleCodec
    future: RoleCodec
    static: RoleCodec
    calendar: tuple[str, ...]
    zone: str | None = None  # by whose clocks the calendar goes where times are UTC

    @property
    def widths(self) -> dict[str, int]:
        """Features per step of each array that `encode` gives."""
        roles = {"past": self.past.width, "future": self.future.width, "static": self.static.width}
        return {**roles, "calendar": 2 * len(self.calendar)}

    @property
    def categories(self) -> dict[str, tuple[int, ...]]:
        """Codes of each categorical column by role, the unseen one (0) included."""
        roles = {"past": self.past, "future": self.future, "static": self.static}
        return {name: tuple(len(v) + 1 for v in role.values) for name, role in roles.items()}

    def encode(self, batch: WindowBatch) -> dict[str, np.ndarray]:
        """The windows as arrays, float32 unless said otherwise.

        y [n, history] float64 (NaN = missing), present [n, history] (0 = padding), target [n, horizon] float64 (NaN =
        unknown),
        past [n, history, ·], past_codes int64, future_history and future_horizon with their codes, static [n, ·],
        static_codes, calendar_history, calendar_horizon, phase int64 [n]. Padded steps are zeros.
        """
        history = batch.steps[0]
        present = batch.present.astype(np.float32)
        past, past_codes = self.past.encode(batch.past, "past")
        future, future_codes = self.future.encode(batch.future, "future")
        static, static_codes = self.static.encode(batch.static, "static")
        moments = calendar(batch.times, self.calendar, self.zone)
        inside, padding = present[..., None], ~batch.present
        past_codes[padding] = 0
        future_codes[:, :history][padding] = 0
        return {
            "y": batch.y,
            "present": present,
            "target": batch.target,
            "past": past * inside,
            "past_codes": past_codes,
            "future_history": future[:, :history] * inside,
            "future_history_codes": future_codes[:, :history],
            "future_horizon": future[:, history:],
            "future_horizon_codes": future_codes[:, history:],
            "static": static,
            "static_codes": static_codes,
            "calendar_history": moments[:, :history] * inside,
            "calendar_horizon": moments[:, history:],
            "phase": batch.phase,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableCodec:
        """From plain data, as `to_json` gives it or as JSON reads it back."""
        role = lambda d: RoleCodec(**{k: _tuples(v) for k, v in d.items()})  # noqa: E731
        past, future, static = (role(data[name]) for name in ("past", "future", "static"))
        return cls(past, future, static, tuple(data["calendar"]), data.get("zone"))


def fit(panel: Panel, options: TableOptions | None = None) -> TableCodec:
    """A codec with the statistics of `panel`: give the training part only."""
    options = options or TableOptions()
    role = lambda columns: RoleCodec.fit(columns, options.categories)  # noqa: E731
    frequency = panel.frequency
    names = cycles(frequency.unit, frequency.count) if options.calendar else ()
    if options.holidays:
        names = (*names, _with_holidays(options.holidays, frequency))
    zone = None if panel.clock.wall else panel.clock.zone
    return TableCodec(role(panel.past), role(_history(panel)), role(panel.static), names, zone)


def _with_holidays(place: str, frequency: Frequency) -> str:
    """The name of the holidays among the cycles; OptionError where a step is longer than a day, or no date."""
    if frequency.unit in ("integer", "month") or (frequency.unit != "business" and frequency.count > DAY):
        raise OptionError(
            f"holidays need steps of a day or less with dates, but the steps are {frequency.name}; leave them out"
        )
    return PREFIX + check(place)


def _history(panel: Panel) -> Columns:
    """The rows of `panel.future` that lie in the history: what comes after is not for training."""
    if not panel.future:
        return panel.future
    steps = np.arange(len(panel.y)) - np.repeat(panel.starts, panel.lengths)
    return panel.future.take(np.repeat(panel.future_starts, panel.lengths) + steps)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
