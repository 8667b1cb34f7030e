"""The consensus error grid of Parkes for type 1 diabetes, in mg/dL: zones of rising risk; the score is zone A's share.

A forecast is in the worst zone whose boundary it lies beyond, above the diagonal or below it; on a boundary it belongs to the
better zone. Beyond the last point (550 mg/dL) a boundary goes on straight.
Source: zones, Parkes, Slatin, Pardo, Ginsberg, Diabetes Care 23(8), 2000; points of the boundaries, Pfützner, Klonoff, Pardo,
Parkes, "Technical aspects of the Parkes error grid", J. Diabetes Sci. Technol. 7(5), 2013, table 1.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._zones import known, shares

BETTER = "higher"
#: (truth, forecast) from the axis outwards; beyond it begins the zone
ABOVE: dict[str, list[tuple[float, float]]] = {
    "B": [(0, 50), (30, 50), (140, 170), (280, 380), (430, 550)],
    "C": [(0, 60), (30, 60), (50, 80), (70, 110), (260, 550)],
    "D": [(0, 100), (25, 100), (50, 125), (80, 215), (125, 550)],
    "E": [(0, 150), (35, 155), (50, 550)],
}
BELOW: dict[str, list[tuple[float, float]]] = {
    "B": [(50, 0), (50, 30), (170, 145), (385, 300), (550, 450)],
    "C": [(120, 0), (120, 30), (260, 130), (550, 250)],
    "D": [(250, 0), (250, 40), (550, 150)],
}


def zones(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Codes 0 to 4 for A to E, of the shape of `truth`; -1 where one of them is missing."""
    r, f = np.asarray(truth, float), np.asarray(forecast, float)
    above = sum((f > _line(points, r)).astype(int) for points in ABOVE.values())
    below = sum((r > _line([(y, x) for x, y in points], f)).astype(int) for points in BELOW.values())
    return np.where(known(r, f), np.maximum(above, below), -1)


def score(truth: np.ndarray, forecast: np.ndarray) -> float:
    """The share of zone A."""
    return float(shares(zones(truth, forecast))[0])


def _line(points: list[tuple[float, float]], x: np.ndarray) -> np.ndarray:
    """The height at `x` of straight lines from point to point, the last one prolonged."""
    (x1, y1), (x2, y2) = points[-2:]
    inside = np.interp(x, *np.array(points, float).T)
    return np.where(x > x2, y2 + (x - x2) * (y2 - y1) / (x2 - x1), inside)
