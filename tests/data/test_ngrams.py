"""Groups of units that a text has often, counted by hand and by the library."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from saiki.data import ngrams
from saiki.data.ngrams import base_of, frequent, longest_of
from saiki.errors import OptionError


def by_hand(values: list[int], units: int, longest: int) -> Counter:
    base, found = units + 2, Counter()
    for length in range(2, longest + 1):
        for end in range(length, len(values) + 1):
            found[sum((unit + 1) * base**j for j, unit in enumerate(reversed(values[end - length : end])))] += 1
    return found


@pytest.mark.parametrize("part", [7, 50, 1000])
@pytest.mark.parametrize("fewest", [1, 2, 5])
def test_every_group_that_is_frequent_has_a_key(monkeypatch, part, fewest):
    monkeypatch.setattr(ngrams, "PART", part)
    values = np.random.default_rng(0).integers(0, 4, 300)
    expected = sorted(key for key, times in by_hand(values.tolist(), 4, 4).items() if times >= fewest)
    found = frequent(values.astype(np.uint16), 4, 4, fewest, 10**6)
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_the_most_frequent_are_kept():
    values = np.random.default_rng(1).integers(0, 3, 500)
    counted = by_hand(values.tolist(), 3, 3)
    found = frequent(values, 3, 3, 1, 10)
    assert len(found) == 10
    assert found.tolist() == sorted(found.tolist())
    assert min(counted[key] for key in found.tolist()) >= max(
        counted[k] for k in counted if k not in set(found.tolist())
    )


def test_a_text_shorter_than_a_group_has_none():
    assert frequent(np.array([1]), 3, 4, 1, 10).tolist() == []
    assert frequent(np.array([1, 2]), 3, 4, 1, 10).tolist() == [2 * 5 + 3]


@pytest.mark.parametrize("units", [3, 90, 1446, 1447, 30_000, 10**6])
def test_the_longest_groups_that_have_a_key(units):
    longest = longest_of(units)
    assert base_of(units, longest) ** longest < 2**63
    with pytest.raises(OptionError, match=f"groups of {longest} are the longest"):
        base_of(units, longest + 1)


def test_groups_too_long_for_a_key_are_an_error():
    assert base_of(90, 9) == 92
    with pytest.raises(OptionError, match="ngrams: got 5, but of 30,000 units groups of 4"):
        base_of(30_000, 5)
