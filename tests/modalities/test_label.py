"""Labels as classes."""

import polars as pl
import pytest

from saiki.errors import DataError
from saiki.modalities.label import LabelCodec


def test_names_are_no_classes():
    with pytest.raises(DataError, match="is it the right --target"):
        LabelCodec.fit(pl.Series("id", [f"n{k}" for k in range(12)]))
    assert len(LabelCodec.fit(pl.Series("y", [f"n{k}" for k in range(5)])).classes) == 5
