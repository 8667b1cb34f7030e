"""Every cell learns a planted task: the number that was shown once, up to twenty steps ago."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import saiki
from saiki import catalog
from saiki.nn import Readout, Recurrent
from saiki.reservoir import Ridge

TIME = 20
#: variance of the answer: the loss of the best constant
BASELINE = 1 / 3


def recall(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Zeros and one number in ±1, at a place drawn for each row; the answer is that number."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((rows, TIME, 2), np.float32), rng.uniform(-1, 1, rows).astype(np.float32)
    places = rng.integers(0, TIME, rows)
    x[np.arange(rows), places] = np.stack([y, np.ones_like(y)], 1)
    return x, y[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in catalog.names("cells") if n != "echo_state"])  # see below
def test_a_cell_learns_delayed_recall(name):
    torch.manual_seed(0)
    net = Readout(Recurrent(name, 2, 32, batch_first=True), 1)
    given = {"batch": 64, "learning_rate": 1.5e-2, "weight_decay": 0.0, "seed": 1}
    saiki.fit(net, *recall(3200, 1), steps=300, **given)
    x, y = recall(1000, 2)
    error = float(((saiki.predict(net, x) - y) ** 2).mean())
    assert error < 0.1 * BASELINE, f"{name}: {error:.4f}, a constant has {BASELINE:.4f}"


def test_a_reservoir_is_read_in_closed_form():
    """A linear reservoir of radius 1: where the number stood does not matter to its readout."""
    options = {"nonlinearity": "identity", "spectral_radius": 1.0, "dtype": torch.float64}
    layer = Recurrent("echo_state", 2, 32, batch_first=True, **options)

    def last(x: np.ndarray) -> torch.Tensor:
        return layer(torch.from_numpy(x).double())[0][:, -1]

    x, y = recall(800, 1)
    ridge = Ridge(32, 1)
    ridge.add(last(x), torch.from_numpy(y).double())
    found = ridge.solve()
    x, y = recall(400, 2)
    error = (last(x) @ found.weight + found.intercept - torch.from_numpy(y)).square().mean().item()
    assert error < 1e-6
