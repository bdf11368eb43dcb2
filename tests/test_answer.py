"""How targets are written and answers are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.answer import Json, Label, Text
from harness.errors import TaskError
from tests.conftest import SCHEMA


@pytest.fixture
def answer(tmp_path: Path) -> Json:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return Json(str(path))


def test_json_targets_are_written_in_the_order_of_the_schema(answer: Json) -> None:
    written = answer.write({"note": "é", "colour": "red", "code": None} | {"note": "a b"})
    assert written == '{"colour":"red","code":null,"note":"a b"}'


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ({"colour": "green", "code": None, "note": "a"}, "colour: 'green' is not one of"),
        ({"colour": "red", "code": None}, "'note' is a required property"),
        ("{", "target is not JSON"),
    ],
)
def test_json_targets_that_break_the_schema_are_refused(
    answer: Json, target: object, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        answer.write(target)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"colour":"red"}', {"colour": "red"}),
        ('Sure!\n```json\n{"colour": "red"}\n```', {"colour": "red"}),
        ('{"colour":"red"} {"colour":"blue"}', {"colour": "red"}),
        ('{"colour":"red"', None),
        ("red", None),
        ("", None),
        ("{" * 100_000, None),
    ],
)
def test_json_answers_are_read_leniently_about_what_stands_around_them(
    answer: Json, text: str, value: object
) -> None:
    parsed = answer.parse(text)
    assert parsed.value == value
    assert (parsed.problem is None) == (value is not None)


def test_the_schema_is_shown_to_models_without_our_notes(answer: Json) -> None:
    shown = answer.describe("S: {schema}")
    assert "x-kind" not in shown
    assert json.loads(shown.removeprefix("S: "))["required"] == ["colour", "code", "note"]


def test_a_property_whose_name_looks_like_a_note_is_shown(tmp_path: Path) -> None:
    rules = {"enum": [{"x-a": 1}], "x-kind": "format"}
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"properties": {"x-ray": rules}}))
    assert Json(str(path)).shown == {"properties": {"x-ray": {"enum": [{"x-a": 1}]}}}


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ("{", r"schema.json:1: not JSON"),
        ('{"type": "nonsense"}', "not a JSON Schema"),
        ('{"type": "object"}', "has no properties"),
        ('{"properties": {"a": {"x-kind": "style"}}}', "x-kind 'style' is not one of"),
        ('{"properties": {"a": {"x-check": "near"}}}', "x-check 'near' is not one of"),
    ],
)
def test_a_schema_that_cannot_be_used_is_named(tmp_path: Path, schema: str, complaint: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(schema)
    with pytest.raises(TaskError, match=complaint):
        Json(str(path))


def test_labels_are_those_of_train_unless_they_are_given() -> None:
    fitted = Label().fitted(["b", "a", "b"])
    assert fitted.labels == ("a", "b")
    assert fitted.describe("one of {labels}") == "one of a, b"
    assert Label(["x"]).fitted(["y"]).labels == ("x",)
    with pytest.raises(ValueError, match="'c' is not one of the 2 labels"):
        fitted.write("c")


@pytest.mark.parametrize(
    ("text", "value"), [(" a\nbecause", "a"), ('"b".', "b"), ("c", None), ("  ", None)]
)
def test_a_label_is_the_first_line_of_an_answer(text: str, value: str | None) -> None:
    assert Label(["a", "b"]).parse(text).value == value


ODD_LABELS = ["a", "a.", '"a"', "a b", "a b c", "*", "né 🙂", "1", "True", "`x`", "'"] + [
    f"label {i}" for i in range(150)
]


@pytest.mark.parametrize("label", ODD_LABELS[:12])
def test_a_label_parses_to_itself_whatever_is_in_it(label: str) -> None:
    answer = Label().fitted(ODD_LABELS)
    assert answer.parse(answer.write(label)).value == label
    assert answer.parse(f" {label}\nbecause").value == label


def test_case_is_part_of_a_label() -> None:
    assert Label(["Yes"]).parse("yes").value is None


def test_numbers_and_booleans_become_their_text() -> None:
    assert [Label().write(value) for value in (1, 2.5, True)] == ["1", "2.5", "True"]
    assert Label([1, 2]).labels == ("1", "2")  # type: ignore[list-item]


@pytest.mark.parametrize("label", ["", " ", " a", "a ", "a\nb", "a\n", "a\u2028b"])
def test_a_label_that_cannot_be_read_back_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=r"label .* is empty, or has blanks .* fix it"):
        Label().write(label)
    with pytest.raises(TaskError, match=r"answer\.labels: label .* fix it"):
        Label([label])


def test_free_text_may_be_anything_but_nothing() -> None:
    assert Text().parse(" yes \n").value == "yes"
    assert Text().parse(" ").value is None
    with pytest.raises(ValueError, match="target is empty"):
        Text().write("  ")
