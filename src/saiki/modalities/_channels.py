"""Series of several channels as numbers for a network: standardised values, flags, differences, time, what is static."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from saiki.modalities.table import RoleCodec
from saiki.sequence import Ragged, carried

if TYPE_CHECKING:
    from saiki.data.labelled import Labelled

#: values beyond this many standard deviations count as this many
LIMIT = 10.0
#: values kept of a text column
CATEGORIES = 64


@dataclass(frozen=True)
class ChannelCodec:
    """As fitted on the training data.

    scale        whose mean and spread a channel is divided by: the training data's, its own series', both side by side, none
    fill         what stands for a missing value: the channel's mean (zero), or the last one seen
    flags        whether missing values are flagged, one number per channel
    differences  whether the change since the step before stands beside the values
    gap          the usual time between steps where it differs (then gaps and the time since the start are told), else 0
    duration     usual time from first to last step, in usual gaps
    """

    source: RoleCodec
    static: RoleCodec
    scale: str
    fill: str
    flags: bool
    differences: bool
    gap: float
    duration: float

    @classmethod
    def fit(cls, data: Labelled, scale: str, fill: str, differences: bool | None) -> ChannelCodec:
        """Statistics of the training data; differences are told unless values are missing."""
        missing = bool(np.isnan(data.source.numbers).any())
        wanted = not missing if differences is None else differences
        gap = data.usual_gap if data.irregular else 0.0
        duration = float(np.median(_sums(data.gap, data.lengths))) / gap if gap and data.gap is not None else 1.0
        roles = [RoleCodec.fit(columns, CATEGORIES) for columns in (data.source, data.static)]
        return cls(roles[0], roles[1], scale, fill, missing, wanted, gap, max(duration, 1.0))

    def encode(self, data: Labelled) -> tuple[Ragged, np.ndarray]:
        """Steps as float32 `[steps, features]` with gap and observed, and static numbers `[series, static]`."""
        z, missing, codes = self._source(data)
        first = data.begins
        parts = [z]
        if self.scale in ("series", "both"):
            own = _own_scale(z, missing, data.lengths)
            parts = [own] if self.scale == "series" else [z, own]
        filled = [_forward(part, missing, first) if self.fill == "last" else part for part in parts]
        values = np.clip(np.concatenate(filled, 1), -LIMIT, LIMIT)
        columns = [values, *([_changes(values, first)] if self.differences else []), *codes]
        columns += [missing] if self.flags else []
        columns += [self._time(data)] if self.gap else []
        static = self._static(data)
        columns += [np.repeat(static, data.lengths, axis=0)]
        found = np.concatenate([np.asarray(c, np.float32) for c in columns], 1)
        observed = np.ones(found.shape, np.float32)
        observed[:, : values.shape[1]] = np.tile(~missing, (1, len(parts)))
        gap = self._gaps(data).astype(np.float32) if self.gap else None
        return Ragged(found, data.lengths, gap, observed), static

    @property
    def numeric(self) -> int:
        """How many of the first features are measured values."""
        return len(self.source.numeric) * (2 if self.scale == "both" else 1)

    def _source(self, data: Labelled) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Standardised values, which are missing, and categories as 0 and 1."""
        features, codes = self.source.encode(data.source, "source")
        size = len(self.source.numeric)
        z, missing = features[:, :size].astype(float), features[:, size:] > 0.5
        if self.scale == "none":
            z = np.where(missing, 0, z * np.array(self.source.scale) + np.array(self.source.mean))
        return z, missing, _one_hot(codes, self.source)

    def _static(self, data: Labelled) -> np.ndarray:
        features, codes = self.static.encode(data.static, "static")
        return np.concatenate([np.clip(features, -LIMIT, LIMIT), *_one_hot(codes, self.static)], 1).astype(np.float32)

    def _time(self, data: Labelled) -> np.ndarray:
        """The gap before each step, as a logarithm, and the time since the start."""
        gap = self._gaps(data)
        total = np.cumsum(gap)
        start = np.repeat(total[np.minimum(data.starts, max(len(total) - 1, 0))], data.lengths) if len(total) else total
        return np.column_stack([np.log1p(gap), (total - start) / self.duration])

    def _gaps(self, data: Labelled) -> np.ndarray:
        """Time since the step before in usual gaps of the training data; 1 for the first step."""
        if data.gap is None:
            return np.ones(int(data.lengths.sum()))
        gap = data.gap / self.gap
        gap[data.starts[data.lengths > 0]] = 1.0
        return gap

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ChannelCodec:
        plain = {f.name: data[f.name] for f in fields(cls) if f.name not in ("source", "static")}
        return cls(source=_role(data["source"]), static=_role(data["static"]), **plain)


def _role(data: dict[str, Any]) -> RoleCodec:
    lists = {k: tuple(v) for k, v in data.items() if k != "values"}
    return RoleCodec(**lists, values=tuple(tuple(v) for v in data["values"]))


def _one_hot(codes: np.ndarray, role: RoleCodec) -> list[np.ndarray]:
    return [codes[:, [k]] == np.arange(1, len(v) + 1) for k, v in enumerate(role.values)]


def _sums(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.bincount(np.repeat(np.arange(len(lengths)), lengths), weights=values, minlength=len(lengths))


def _own_scale(z: np.ndarray, missing: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Each channel of each series with the mean 0 and spread 1 of itself; a constant one is 0."""
    found = np.zeros_like(z)
    step = np.repeat(np.arange(len(lengths)), lengths)
    for k in range(z.shape[1]):
        seen = ~missing[:, k]
        count = np.maximum(_sums(seen, lengths), 1)
        rest = np.where(seen, z[:, k] - (_sums(np.where(seen, z[:, k], 0), lengths) / count)[step], 0)
        spread = np.sqrt(_sums(rest**2, lengths) / count)
        found[:, k] = rest / np.where(spread > 1e-6, spread, np.inf)[step]
    return found


def _forward(z: np.ndarray, missing: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The last value seen in the series where one is missing; 0, the mean, before there is one."""
    found = carried(z, missing, first)
    return np.where(np.isnan(found), 0, found)


def _changes(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    return np.where(first[:, None], 0, np.diff(values, axis=0, prepend=values[:1]))
