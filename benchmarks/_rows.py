"""Benchmark results as JSON rows, kept under what they depend on, so that a run can be stopped and goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def code_hash(*folders: str) -> str:
    """A hash of the sources under these folders of the repository."""
    digest = hashlib.sha256()
    for folder in folders:
        place = ROOT / folder
        files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.suffix in (".py", ".h", ".cc"))
        for path in files:
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def file_hash(*paths: Path) -> str:
    """A hash of data files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def about() -> dict[str, Any]:
    """Machine and commit, as every row states them."""
    import torch

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "machine": f"{processor}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "commit": commit.stdout.strip(),
    }


def _command(key: str) -> str:
    """The part of a key that says what was asked; what it was measured on follows."""
    return re.split(r" data=| code=| \| ", key, maxsplit=1)[0]


class Rows:
    """The rows of one benchmark. A row stays valid while its key does: command, data and code."""

    def __init__(self, name: str) -> None:
        self.path = RESULTS / f"{name}.json"
        self.rows: dict[str, dict[str, Any]] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def put(self, key: str, row: dict[str, Any]) -> None:
        """Keep a row in place of those of the same command on other data or code, written beside and renamed.

        The file is read again first: another process may have written rows meanwhile.
        """
        kept = json.loads(self.path.read_text()) if self.path.exists() else self.rows
        others = {known: row for known, row in kept.items() if _command(known) != _command(key)}
        self.rows = others | {key: row}
        RESULTS.mkdir(exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self.rows, indent=1, sort_keys=True) + "\n")
        part.replace(self.path)
