"""Wall-clock time of whole commands, start-up included: the median of some runs, in seconds, as JSON.

    python benchmarks/cli.py [--runs 5]

Goals: `saiki --help` under 0.3 s, `saiki predict` on a small file under 4 s.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAIKI = [sys.executable, "-c", "from saiki.cli import main; main()"]


def seconds(words: list[str], folder: str, runs: int) -> float:
    """Median over runs of one command."""
    times = []
    for _ in range(runs):
        since = time.perf_counter()
        subprocess.run([*SAIKI, *words], cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - since)
    return round(statistics.median(times), 3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        rows = [f"s{s},{t},{50 + 9 * (t % 7) + s}" for s in range(3) for t in range(100)]
        Path(folder, "d.csv").write_text("\n".join(["unique_id,ds,y", *rows]))
        train = ["train", "forecast", "d.csv", "--horizon", "7", "--steps", "3", "--out", "m", "--force"]
        found = {
            "--help": seconds(["--help"], folder, runs),
            "train --help": seconds(["train", "--help"], folder, runs),
            "train, 3 steps": seconds(train, folder, runs),
            "predict, 300 rows": seconds(["predict", "m", "d.csv"], folder, runs),
            "demo": seconds(["demo"], folder, 1),
        }
    print(
        json.dumps({"machine": platform.machine(), "python": platform.python_version(), "runs": runs, "seconds": found})
    )


if __name__ == "__main__":
    main()
