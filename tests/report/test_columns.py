"""Wide tables become several parts; words and numbers stay whole."""

from __future__ import annotations

from harness.report.columns import parts
from harness.report.formatting import Table

CELL = "12.3 (10.0–15.6)"


def test_a_table_that_fits_is_one_part_and_its_headings_stand_in_one_line() -> None:
    (part,) = parts(Table("t", ["rung", "prompt tok"], [["lora", "1,234"]]), 40)
    assert (part.headings, part.lines, part.widths) == (
        ["rung", "prompt tok"], [["lora", "1,234"]], [4, 10],
    )  # fmt: skip


def test_headings_are_broken_between_words_before_a_table_is_split() -> None:
    (part,) = parts(Table("t", ["rung", "prompt tok", "answer tok"], [["lora", "1", "2"]]), 24)
    assert part.widths == [4, 6, 6]


def test_a_wide_table_is_split_and_each_part_names_its_rows() -> None:
    table = Table("t", ["rung", *"abcdef"], [["lora", *[CELL] * 6]])
    made = parts(table, 80)
    assert [list(part.headings) for part in made] == [["rung", *"abcd"], ["rung", *"ef"]]
    assert all(line[0] == "lora" for part in made for line in part.lines)
    assert all(sum(part.widths) + 2 * len(part.widths) <= 80 for part in made)


def test_prose_is_given_what_room_is_left_and_no_word_of_it_is_broken() -> None:
    said = "no detectable difference " * 3
    table = Table("t", ["rung", "verdict"], [["lora", said]], prose=["verdict"])
    for width in (40, 60):
        (part,) = parts(table, width)
        assert part.widths[1] == width - 8
    (narrow,) = parts(table, 20)
    assert narrow.widths[1] >= len("detectable")


def test_a_long_name_is_broken_between_its_words_and_numbers_are_not() -> None:
    name = "rag rung.retrieval.k=5 rung.shots.k=8 decoding=constrained model=large"
    (part,) = parts(Table("t", ["rung", "value"], [[name, CELL]]), 60)
    assert part.widths[1] == len(CELL)
    assert len("decoding=constrained") <= part.widths[0] <= 60 - len(CELL) - 4


def test_wide_letters_count_as_what_they_take() -> None:
    (part,) = parts(Table("t", ["rung", "x"], [["質問応答", "1"]]), 40)
    assert part.widths[0] == 8
