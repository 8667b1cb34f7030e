"""The two ways to compute a layer."""

from __future__ import annotations

import pytest
from tests.nn.pairs import use_reference

from saiki import kernels


@pytest.fixture(params=["kernel", "reference"])
def path(request, monkeypatch) -> str:
    """Run the test with the kernels, and once more without."""
    if request.param == "reference":
        use_reference(monkeypatch)
    elif not kernels.report()["native"]:
        pytest.skip("the native extension is not built")
    return request.param
