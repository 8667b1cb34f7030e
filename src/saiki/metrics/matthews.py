"""Matthews correlation of true and chosen classes: 1 for all right, 0 for no better than chance; balanced or not.

Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004, equation 8.
"""

from __future__ import annotations

import numpy as np

from saiki.metrics._classes import confusion

BETTER = "higher"


def score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """From codes `[rows]` and probabilities `[rows, classes]`; 0 where one class alone occurs or is chosen."""
    counts = confusion(truth, probabilities).astype(float)
    true, given, total = counts.sum(1), counts.sum(0), counts.sum()
    both = counts.trace() * total - true @ given
    spread = np.sqrt(total**2 - given @ given) * np.sqrt(total**2 - true @ true)
    return float(both / spread) if spread > 0 else 0.0
