"""Clarke's error grid: what a wrong glucose value, in mg/dL, would do to a patient who acts on it; the score is zone A's share.

    A  within 20 % of the truth, or both at most 70           no harm
    E  low taken for high, or high taken for low              treats the opposite
    C  r ≥ 70 and f ≥ r + 110, or 130 ≤ r ≤ 180 and f ≤ 7/5 r - 182      treats without need
    D  r ≤ 70 or r ≥ 240, and f from 70 to 180                 fails to treat
    B  the rest                                               more than 20 % off, but harmless

with r the truth and f the forecast; E: r ≤ 70 and f ≥ 180, or r ≥ 180 and f ≤ 70. The first of A, E, C, D, B that fits counts,
and the lines go on beyond the 400 mg/dL of the printed grid.
Source: Clarke, Cox, Gonder-Frederick, Carter, Pohl, "Evaluating clinical accuracy of systems for self-monitoring of blood
glucose", Diabetes Care 10(5), 1987. It leaves open where a line itself belongs; here the ends above are included.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._zones import known, shares

BETTER = "higher"


def zones(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Codes 0 to 4 for A to E, of the shape of `truth`; -1 where one of them is missing."""
    r, f = np.asarray(truth, float), np.asarray(forecast, float)
    a = (np.abs(f - r) <= 0.2 * r) | ((r <= 70) & (f <= 70))
    e = ((r <= 70) & (f >= 180)) | ((r >= 180) & (f <= 70))
    c = ((r >= 70) & (f >= r + 110)) | ((r >= 130) & (r <= 180) & (f <= 7 / 5 * r - 182))
    d = ((r <= 70) | (r >= 240)) & (f >= 70) & (f <= 180)
    return np.where(known(r, f), np.select([a, e, c, d], [0, 4, 2, 3], 1), -1)


def score(truth: np.ndarray, forecast: np.ndarray) -> float:
    """The share of zone A."""
    return float(shares(zones(truth, forecast))[0])
