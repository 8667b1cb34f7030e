"""For all tests: shapes are checked, uninitialised memory is NaN, two threads, fixed seeds; a process per core."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that tests import tests.cases and tests.oracles
_checked = ["saiki.cells", "saiki.network.unroll", "saiki.network.stack"]
jaxtyping.install_import_hook(_checked, "beartype.beartype")  # before saiki is imported
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads that spin make a busy machine ten times slower

import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

MOST_PROCESSES = 4  # each holds torch and the models of its tests: half a gigabyte


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A run of the whole suite is dealt out to a process per core, file by file; `pytest -n 0` keeps it in one."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    given = config.getoption(
        "numprocesses", 0
    )  # 0 where pytest-xdist is not installed, None where nothing was asked for
    if whole and given is None and not config.getoption("usepdb") and "PYTEST_XDIST_WORKER" not in os.environ:
        config.option.numprocesses, config.option.dist = min(os.cpu_count() or 1, MOST_PROCESSES), "loadfile"


settings.register_profile("saiki", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("saiki")


@pytest.fixture(autouse=True)
def _same_start():
    """Every test starts from the same seeds and with two threads, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (also for code of others that uses the global generator)
    torch.manual_seed(0)
    torch.set_num_threads(2)


@pytest.fixture(autouse=True)
def _uninitialised_memory_is_nan():
    """`torch.empty` gives NaN, so that a number that nobody wrote shows."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(False)
