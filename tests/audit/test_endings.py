"""Targets that end early and texts of unusual length, with file and line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audit.endings import cut_off, length_outliers
from tests.audit.conftest import labelled, materials

WHOLE = [(f"question {n}", f"The answer to this is number {n}.") for n in range(12)]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("It ships on Monday (unless it", "( is never closed"),
        ('She said "never', "a quotation mark is never closed"),
        ("Red, green,", ", has nothing behind it"),
        ("You can send it back to the", "the sentence goes on"),
        ("You can send the parcel back", "no final punctuation, which others have"),
    ],
)
def test_a_target_that_ends_early_is_found(target: str, why: str) -> None:
    (found,) = cut_off(materials([*WHOLE, ("question", target)]))
    assert (found.where, found.check) == (("train.jsonl:13",), "cut off")
    assert found.text.endswith(why)


def test_whole_targets_and_short_answers_are_fine() -> None:
    assert cut_off(materials([*WHOLE, ("a question", "Yes"), ("another", 'He said "no".')])) == []


def test_texts_without_full_stops_are_fine_where_hardly_any_has_one() -> None:
    rows = [(f"q {n}", f"parcel number {n} is late") for n in range(12)]
    assert cut_off(materials([*rows, ("q", "parcel number twelve is late.")])) == []


def test_many_texts_of_the_greatest_length_were_cut_at_it() -> None:
    story = "one two three four five six seven eight nine ten eleven twelve thirteen"
    rows = [(f"q {n}", f"{n:02} {story}"[:40]) for n in range(8)]
    found = cut_off(materials([*rows, *[(f"r {n}", f"short text number {n}") for n in range(8)]]))
    assert [finding.where for finding in found] == [(f"train.jsonl:{n}",) for n in range(1, 9)]
    assert found[0].text.endswith("as long as the longest, 40 characters")


def test_labels_do_not_end_early() -> None:
    assert cut_off(labelled([("a", "waiting for the"), ("b", "(")])) == []


def test_dev_is_looked_at_too() -> None:
    (found,) = cut_off(materials(WHOLE, [("question", "It ships on Monday (unless")]))
    assert found.where == ("dev.jsonl:1",)


def test_lengths_far_from_all_others_are_found_the_farthest_first() -> None:
    rows = [(f"a question of the usual kind {'x' * (n % 7)}", "fine.") for n in range(30)]
    found = length_outliers(materials([*rows, ("long " * 200, "fine."), ("?", "fine.")]))
    assert [finding.where for finding in found] == [("train.jsonl:31",), ("train.jsonl:32",)]
    assert found[0].text.startswith("input of 1,000 characters, the median is ")


@given(st.lists(st.integers(1, 80), min_size=1, max_size=30))
def test_no_length_is_far_where_all_are_within_twice_the_spread(lengths: list[int]) -> None:
    """Texts of the median length are never outliers."""
    rows = [("x" * n, "fine.") for n in lengths]
    middle = sorted(lengths)[len(lengths) // 2]
    found = {f.where[0] for f in length_outliers(materials(rows)) if f.text.startswith("input")}
    usual = {f"train.jsonl:{n}" for n, length in enumerate(lengths, 1) if length == middle}
    assert not found & usual
