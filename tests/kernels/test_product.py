"""The panel GEMM alone, beside torch's product: sizes that fill no panel, tile or chunk."""

from __future__ import annotations

import pytest
import torch

from saiki.kernels.table import native


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 7, 3), (37, 50, 19), (33, 130, 600)])
def test_a_product_is_that_of_torch(sizes, dtype):
    rows, columns, depth = sizes
    a, b = torch.randn(rows, depth, dtype=dtype), torch.randn(depth, columns, dtype=dtype)
    expected = a.double() @ b.double()
    bound = 8 * torch.finfo(dtype).eps * (a.abs().double() @ b.abs().double())  # rounding of sums of chunks
    forms = [(a, b, {}), (a, b.t().contiguous(), {"across": True}), (a.t().contiguous(), b, {"turned": True})]
    for left, right, how in forms:
        to = torch.full((rows, columns), float("nan"), dtype=dtype)
        native.product(left, right, to, threads=2, **how)
        assert ((to.double() - expected).abs() <= depth**0.5 * bound).all(), how


def test_sizes_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="b must be"):
        native.product(torch.zeros(2, 3), torch.zeros(4, 5), torch.zeros(2, 5))
