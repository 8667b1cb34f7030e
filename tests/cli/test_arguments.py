"""Options that take lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saiki.cli._arguments import expand

LISTS = {"--target", "--level"}


@pytest.mark.parametrize(
    ("line", "expanded"),
    [
        ("f --target a b c", "f --target a --target b --target c"),
        ("--target a --level 80 95 --out m", "--target a --level 80 --level 95 --out m"),
        ("--target a b -q f", "--target a --target b -q f"),
        ("--target a b -- f", "--target a --target b -- f"),
        ("--level -1 -2.5", "--level -1 --level -2.5"),
        ("--target=a b", "--target=a b"),
        ("--out m f", "--out m f"),
        ("--target a --target b", "--target a --target b"),
        ("--target a -", "--target a --target -"),
        ("", ""),
    ],
)
def test_expansion(line, expanded):
    assert expand(line.split(), LISTS) == expanded.split()


@given(st.lists(st.text(st.characters(codec="latin-1"), min_size=1).filter(lambda w: w not in LISTS)))
def test_without_list_options_nothing_changes(words):
    assert expand(words, LISTS) == words


@given(st.lists(st.sampled_from(["--target", "--level", "--out", "a", "b", "80", "-q"])))
def test_expanding_twice_changes_nothing_more(words):
    once = expand(words, LISTS)
    assert expand(once, LISTS) == once
