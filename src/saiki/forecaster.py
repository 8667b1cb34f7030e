"""A forecaster as scikit-learn knows estimators: fit, predict, score, get_params, set_params; clones and grid searches work."""

from __future__ import annotations

import inspect
import math
from typing import Any

from saiki.errors import ModelError, OptionError


class Forecaster:
    """`saiki.train("forecast", …)` behind scikit-learn's names. The arguments are those of `saiki.train`, kept unchanged.

    fit(X) trains on a table or an array `[series, time]`; predict(X) forecasts what follows it, predict() what follows the
    training data. score(X) is minus the MASE of the last horizon in X: higher is better, as scikit-learn wants it.
    """

    def __init__(self, horizon: int = 1, **options: Any) -> None:
        self.horizon, self.options = horizon, options

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments."""
        return {"horizon": self.horizon, **self.options}

    def set_params(self, **params: Any) -> Forecaster:
        """Change arguments; OptionError for what `saiki.train` does not take."""
        from saiki.fitting import split_options, train

        own = {"data", "hooks", "say", "self", *inspect.signature(train).parameters}
        split_options("forecast", {"horizon": 1} | {k: v for k, v in params.items() if k not in own})
        self.horizon = params.pop("horizon", self.horizon)
        self.options |= params
        return self

    def fit(self, X: Any, y: Any = None) -> Forecaster:
        """Train on X, which holds the target too; `y` must stay None."""
        from saiki.fitting import train

        if y is not None:
            raise OptionError(
                "fit got y apart; expected the target as a column of X (target=…), or X as [series, time]"
            )
        self.model_, self.data_ = train("forecast", X, horizon=self.horizon, **self.options), X
        return self

    def predict(self, X: Any = None, **options: Any) -> Any:
        """The forecast after X, as a frame of its library; `level` and `samples` as in `Model.predict`."""
        return self._fitted().predict(self.data_ if X is None else X, **options)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the MASE of the last horizon of every series in X; minus the MAE where every season repeats exactly."""
        scores = self._fitted().evaluate(X, baselines=[]).scores["saiki"]
        return -scores["mase"] if math.isfinite(scores["mase"]) else -scores["mae"]

    def _fitted(self) -> Any:
        if not hasattr(self, "model_"):
            raise ModelError("the forecaster is not trained; expected fit(X) before predict and score")
        return self.model_
