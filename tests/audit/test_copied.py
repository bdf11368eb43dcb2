"""Values that others copy from their inputs, and that do not stand in this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.answer import Json
from harness.audit.copied import inside, not_in_input
from harness.task import Materials
from tests.audit.conftest import materials


@pytest.fixture
def answer(tmp_path: Path) -> Json:
    fields = {"order": {"type": ["string", "null"]}, "intent": {"enum": ["care", "advice"]}}
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"properties": fields}))
    return Json(str(path))


def orders(answer: Json, *last: tuple[str, str | None]) -> Materials:
    """Twenty tickets that name their orders, and others."""
    rows = [*((f"order lf {1000 + n} is late", f"LF-{1000 + n}") for n in range(20)), *last]
    return materials([(text, answer.write({"order": order, "intent": "care"})) for text, order in rows],
                     answer=answer)  # fmt: skip


def test_a_value_that_is_not_in_its_input_is_found(answer: Json) -> None:
    (found,) = not_in_input(orders(answer, ("order 1999 is late", "LF-1234")))
    assert (found.check, found.where) == ("not in input", ("train.jsonl:21",))
    assert found.text == 'order LF-1234 is not in "order 1999 is late"'


def test_null_and_fields_that_are_not_copied_are_left_alone(answer: Json) -> None:
    """`care` stands in no input, and so it is no custom that it should."""
    assert not_in_input(orders(answer, ("where is it", None))) == []


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("LF-12345", "my number is 12345", True),
        ("LF-12345", "lf 12345 please", True),
        ("LF-12", "number 12", False),
        ("red coat", "a Red, coat", True),
        ("red coat", "a red hat", False),
    ],
)
def test_case_punctuation_and_letters_around_many_digits_do_not_matter(
    value: str, text: str, found: bool
) -> None:
    assert inside(value, text) is found
