"""The vocabulary of axes. Shapes in docstrings, comments and annotations use these words and no others.

    batch       rows of a batch: one sequence each
    time        steps of the longest row, padding included
    steps       valid steps of all rows together, no padding
    features    numbers per step going in
    width       units of the state
    gates       numbers per step that a cell projects its input to
    horizon     steps ahead that are forecast
    levels      quantiles of a forecast

The aliases are jaxtyping's, so `Float[Tensor, "steps features"]` is checked while the tests run and costs nothing otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:

    class _Unchecked:
        def __class_getitem__(cls, item):
            return item[0]

    try:
        from jaxtyping import Bool, Float, Int
    except ImportError:  # jaxtyping comes with the extra `test`
        Bool = Float = Int = _Unchecked

__all__ = ["Bool", "Float", "Int"]
