"""What the examples of forecasting take: a folder of real data, and minutes; without them, planted data and seconds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def given(about: str) -> argparse.Namespace:
    """`--data DIR` and `--minutes M`, as `data` and `budget` (options of saiki.train)."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the public data sets [planted data]")
    parser.add_argument("--minutes", type=float, help="training time [2 on real data, seconds on planted data]")
    asked = parser.parse_args()
    quick: dict[str, Any] = {"steps": 300, "width": 16}
    asked.budget = {"minutes": asked.minutes or 2} if asked.data or asked.minutes else quick
    return asked
