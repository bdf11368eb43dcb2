"""Free text: written, read and scored."""

from __future__ import annotations

import math

import pytest

from harness.answer import Text


def test_free_text_may_be_anything_but_nothing() -> None:
    assert Text().parse(" yes \n").value == "yes"
    assert Text().parse(" ").value is None
    with pytest.raises(ValueError, match="target is empty"):
        Text().write("  ")


@pytest.mark.parametrize("target", [False, 2.5, math.inf, [], {"a": 1}, b"x", None])
def test_a_target_that_is_neither_text_nor_a_whole_number_is_no_text(target: object) -> None:
    assert Text().write(42) == "42"
    with pytest.raises(
        ValueError, match=r"^target is .*; give text, in quotes, or a whole number$"
    ):
        Text().write(target)


def test_nothing_is_known_of_free_text_beforehand() -> None:
    answer = Text().fitted(["yes"])
    assert (answer.rules, answer.labels, answer.constraint, answer.longest) == (None,) * 4
    assert answer.describe("Say {labels}.") == "Say {labels}."


def test_the_majority_is_the_commonest_text() -> None:
    assert Text().majority(["no", "yes", "yes"]) == "yes"
    assert Text().majority([]) == ""


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("The Eiffel Tower.", "eiffel tower", {"exact": 1, "token_f1": 1, "contains": 1}),
        ("It is in Paris, France", "Paris", {"exact": 0, "contains": 1, "token_f1": 2 / 6}),
        ("Parisian", "Paris", {"contains": 0, "token_f1": 0}),
        ("", "Paris", {"exact": 0, "readable": 0, "rouge_l": 0}),
    ],
)
def test_free_text_is_scored_as_squad_does(
    text: str, reference: str, expected: dict[str, float]
) -> None:
    values = Text().scorer().each(text, reference)
    assert {name: values[name] for name in expected} == pytest.approx(expected)
