"""What training may see and what it is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saiki.data.panel import Panel
from saiki.errors import DataError, OptionError


@dataclass(frozen=True)
class Split:
    """train: all that training windows and fitted statistics may see; valid: `Windows(valid, …).positions("valid")`."""

    train: Panel
    valid: Panel


def by_time(panel: Panel, horizon: int) -> Split:
    """The last `horizon` steps of every series are for validation, everything before them for training.

    Training windows are cut from `train`, which ends before them: none can reach into what is validated. Series shorter
    than `horizon + 2` are for training only. DataError if that leaves nothing to validate on.
    """
    longest = int(panel.lengths.max())
    if longest < horizon + 2:
        advice = f"; use --horizon {longest - 2} or less" if longest > 2 else ""
        raise DataError(
            f"horizon {horizon} is longer than every history: the longest series has {longest} steps; "
            f"expected at least {horizon + 2} (the horizon, and two to learn from){advice}"
        )
    return Split(panel.cut(horizon)[0], panel)


def by_id(panel: Panel, share: float = 0.1, seed: int = 0) -> Split:
    """A `share` of the series, drawn at random, is for validation and never seen in training."""
    if not 0 < share < 1:
        raise OptionError(f"share is {share}; expected a number between 0 and 1")
    if len(panel) < 2:
        raise DataError(f"a split by id needs two series or more; got {len(panel)}; split by time instead")
    count = min(max(round(share * len(panel)), 1), len(panel) - 1)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(panel))[:count])
    return Split(panel.select(np.setdiff1d(np.arange(len(panel)), drawn)), panel.select(drawn))
