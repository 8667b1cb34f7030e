"""What commands print."""

from saiki.cli._console import COLUMNS, table


def test_a_table_wider_than_a_terminal_has_names_in_several_lines():
    names = ["", *(f"a score number {k}" for k in range(8))]
    lines = table([names, ["saiki", *["0.25"] * 8]])
    assert max(map(len, lines)) <= COLUMNS
    assert [line.split() for line in lines[:4]] == [
        ["a"] * 8,
        ["score"] * 8,
        ["number"] * 8,
        [str(k) for k in range(8)],
    ]
    assert len({len(line) for line in lines}) == 1
    assert table([["", "one score"], ["saiki", "1"]])[0].split() == ["one", "score"]
