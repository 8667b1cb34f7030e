"""Forecast: the next values of many series, from their past and what else is known."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Forecast(BaseModel):
    """What to forecast and from what. None stands for a value that is derived from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon: int = Field(
        cast(int, None), ge=1, description="Steps ahead to forecast; needed, but with --from that of the model."
    )
    level: tuple[float, ...] = Field((), description="Intervals to forecast, in percent, such as 80 95.")
    past: tuple[str, ...] = Field((), description="Columns known up to the present.")
    future: tuple[str, ...] = Field((), description="Columns known ahead too, for every step of the horizon.")
    static: tuple[str, ...] = Field((), description="Columns that do not change within a series.")
    freq: str | None = Field(None, description="Step between rows, such as h, D, W, MS or 15min.")
    season: int | None = Field(None, ge=1, description="Steps in a season; 1 for none.")
    history: int | None = Field(None, ge=1, description="Steps of the past that the network sees.")
    patch: int | None = Field(None, ge=1, description="Steps that enter the recurrence together, as one token.")
    copies: int | None = Field(None, ge=0, description="Past seasons that the forecast may blend; 0 for none.")
    lags: int | None = Field(
        None,
        ge=0,
        description="Lags of a ridge regression that has a share in the forecast; 0 for none (default: few series have it).",
    )
    theta: bool | None = Field(
        None,
        description="Theta may have a share in the forecast, as held-out windows say (default: of 20 series or more).",
    )
    forks: int | None = Field(None, ge=1, description="Last tokens from which training forecasts, in one pass.")
    shortest: int | None = Field(None, ge=1, description="Fewest known steps of a training window.")
    scale: Literal["window", "level", "last", "none"] = Field(
        "window",
        description="Units of a window: its own level and spread; its mean or last value as level, one spread; data as they are.",
    )
    log: bool | None = Field(None, description="Model the logarithm of the values (default: if all are positive).")
    loss: str = Field(
        "owa", description="What training lowers (saiki list objectives); with --distribution, its likelihood."
    )
    distribution: Literal["quantiles", "gaussian", "student_t", "negative_binomial"] = Field(
        "quantiles",
        description="What stands beside the point: the widths of its errors, or a distribution; negative_binomial for counts.",
    )
    holdout: Literal["time", "id", "none"] = Field(
        "time", description="What validation uses: the last horizon of the series, a tenth of the series, or nothing."
    )
    validate_steps: int | None = Field(
        None, ge=1, description="Steps held out at the end (default: a horizon, or a tenth of few series)."
    )
    ensemble: int | None = Field(
        None,
        ge=1,
        description="Networks trained from seeds of their own, whose forecasts are averaged (default: as many as a budget in "
        "minutes leaves time for, 5 at most); those that are asked for share the budget.",
    )
    from_: Path | None = Field(None, description="Model to go on from, on newer data with the same columns.")
    calendar: bool = Field(True, description="Tell the network the hour, the weekday, the day of the year, …")

    holidays: str | None = Field(
        None, description="Country whose public holidays the network is told, such as DE or DE-BY (a part of it)."
    )

    @field_validator("level", "past", "future", "static", mode="before")
    @classmethod
    def _listed(cls, value):
        return (value,) if isinstance(value, str | int | float) else tuple(value or ())

    @field_validator("level")
    @classmethod
    def _percent(cls, value):
        if any(not 0 < v < 100 for v in value) or len(set(value)) != len(value):
            raise ValueError("expected different percentages between 0 and 100, such as 80 95")
        return tuple(sorted(value))

    @model_validator(mode="after")
    def _ahead(self) -> Forecast:
        """Only a model to go on from knows a horizon that is not given."""
        if self.horizon is None and self.from_ is None:
            raise ValueError("horizon is missing; expected the number of steps ahead to forecast, such as --horizon 7")
        return self

    @model_validator(mode="after")
    def _likelihood(self) -> Forecast:
        """A distribution is trained by its likelihood unless another loss is asked for; another one's has no meaning."""
        laws = ("gaussian", "student_t", "negative_binomial")
        if self.distribution in laws and "loss" not in self.model_fields_set:
            vars(self)["loss"] = self.distribution
        if self.loss in laws and self.loss != self.distribution:
            raise ValueError(
                f"got loss {self.loss} and distribution {self.distribution}; expected --distribution {self.loss}"
            )
        if self.distribution == "negative_binomial" and self.log:
            raise ValueError("got log and distribution negative_binomial; counts are not modelled by their logarithm")
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """Probabilities of the quantiles, rising: 80 and 95 percent give 0.025, 0.1, 0.9, 0.975."""
        half = [v / 200 for v in self.level]
        return tuple(sorted([round(0.5 - h, 12) for h in half] + [round(0.5 + h, 12) for h in half]))


def load_task():
    """The working half of this task, which imports Torch."""
    from saiki.tasks._forecasting import ForecastTask

    return ForecastTask


OPTIONS = Forecast
#: what it is trained on
DATA = (
    "a table (CSV, Parquet, JSONL, Arrow) with one row per series and time: by default an id column "
    "`unique_id` (if there are several series), a time column `ds` and a target column `y`."
)
#: what stands for the defaults of the network and of training, in words where the data decide
PREFERS = {"width": "32 to 128, by the number of series", "learning_rate": "0.008, of fewer than 20 series 0.002"}


def toy(seed: int = 0, series: int = 8, steps: int = 400):
    """A table with a planted answer: a season of 12 whose height follows a slow wave, so that copying a season is not enough.

    y_t = level (2 + sin(2π t / 12 + phase) (1 + ½ sin(2π t / 97))) + noise of 2 %
    """
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    wave = 1 + 0.5 * np.sin(2 * np.pi * t / 97)
    level, phase = 10 ** rng.uniform(0, 3, series), rng.uniform(0, 2 * np.pi, series)
    season = np.sin(2 * np.pi * t / 12 + phase[:, None]) * wave
    y = level[:, None] * (2 + season + 0.02 * rng.normal(size=(series, steps)))
    names = np.array([f"series-{k}" for k in range(series)])
    return pl.DataFrame({"unique_id": np.repeat(names, steps), "ds": np.tile(t, series), "y": y.ravel()})
