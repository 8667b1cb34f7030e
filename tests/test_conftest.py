"""The guards of conftest.py are on."""

from __future__ import annotations

import pytest
import torch

from saiki.cells import make_cell


def test_uninitialised_memory_is_nan():
    assert torch.empty(3).isnan().all()
    assert torch.ones(2).new_empty(4).isnan().all()
    assert torch.empty_like(torch.ones(2, dtype=torch.float64)).isnan().all()


def test_shapes_are_checked():
    with pytest.raises(Exception, match="steps features"):
        make_cell("gru", 3, 4).project(torch.randn(3))
