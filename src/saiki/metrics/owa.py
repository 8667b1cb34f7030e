"""Overall weighted average: the mean of sMAPE and MASE, each relative to Naive2's; below 1 is better than Naive2.

Source: the M4 competition: both are averaged over the series first, then divided.
"""

from __future__ import annotations


def score(smape: float, mase: float, naive2_smape: float, naive2_mase: float) -> float:
    """NaN where Naive2 makes no error at all."""
    if not (naive2_smape > 0 and naive2_mase > 0):
        return float("nan")
    return 0.5 * (smape / naive2_smape + mase / naive2_mase)
