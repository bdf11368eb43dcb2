"""One JSON object of a schema: written, read, declared and scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.answer import Json
from harness.constraint import JsonSchema
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
        ("{", r"schema.json: not JSON"),
        ('{"type": "nonsense"}', "not a JSON Schema"),
        ('{"type": "object"}', "has no properties"),
        ('{"properties": {"a": true}}', "a: true says nothing of the field; write its rules"),
        ('{"properties": {"a": {"x-kind": "style"}}}', "x-kind 'style' is not one of"),
        ('{"properties": {"a": {"x-check": "near"}}}', "x-check 'near' is not one of"),
    ],
)
def test_a_schema_that_cannot_be_used_is_named(tmp_path: Path, schema: str, complaint: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(schema)
    with pytest.raises(TaskError, match=complaint):
        Json(str(path))


def test_decoding_is_held_to_the_schema_as_it_is_shown(answer: Json) -> None:
    assert answer.constraint == JsonSchema(answer.shown)
    assert answer.labels is None
    assert answer.longest is None, "the note may be of any length"


def test_the_majority_is_taken_field_by_field(answer: Json) -> None:
    targets = [
        answer.write({"colour": colour, "code": code, "note": note})
        for colour, code, note in (("red", "C1", "a"), ("blue", "C1", "b"), ("blue", "C2", "b"))
    ]
    assert answer.majority(targets) == '{"colour":"blue","code":"C1","note":"b"}'
    assert answer.majority(targets[:2]) == targets[0], "of equals the first"


def test_a_field_that_no_target_has_is_not_in_the_majority(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"properties": {"a": {}, "b": {}}}')
    answer = Json(str(path))
    assert answer.majority(['{"b":1}', '{"b":null}', '{"b":null}']) == '{"b":null}'
    assert answer.majority(["{}"]) == "{}"


TARGET = '{"colour":"red","code":"C1","note":"a b"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TARGET, {"fields": 1, "exact": 1, "valid": 1, "readable": 1, "kind/knowledge": 1}),
        # another style is as right, as long as the pattern is kept
        ('{"colour":"red","code":"C1","note":"zz"}', {"fields": 1, "exact": 1, "kind/format": 1}),
        ('{"colour":"red","code":"C1","note":"Z!"}', {"fields": 2 / 3, "valid": 0, "exact": 0}),
        ('{"colour":"red","code":null,"note":"a"}', {"kind/knowledge": 0, "kind/behaviour": 1}),
        ('{"colour":"red","code":"C1"}', {"fields": 2 / 3, "valid": 0, "field/note": 0}),
        ('{"colour":"red","code":"C1","note":"a","more":1}', {"fields": 1, "valid": 0}),
        ('["red"]', {"readable": 0, "fields": 0}),
        ("red", {"fields": 0, "exact": 0, "valid": 0, "readable": 0, "kind/format": 0}),
    ],
)
def test_answers_are_scored_by_field_and_kind(
    answer: Json, text: str, expected: dict[str, float]
) -> None:
    values = answer.scorer().each(text, TARGET)
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_the_order_of_keys_is_worth_nothing_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"properties": {"a": {"properties": {"b": {}, "c": {}}}, "d": {}}}')
    scorer = Json(str(path)).scorer()
    values = scorer.each('{"d":1,"a":{"c":2,"b":1}}', '{"a":{"b":1,"c":2},"d":1}')
    assert (values["exact"], values["fields"]) == (1, 1)


def test_one_is_not_true_and_null_is_null(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"properties": {"a": {}}}')
    scorer = Json(str(path)).scorer()
    assert scorer.each('{"a":1}', '{"a":true}')["exact"] == 0
    assert scorer.each('{"a":null}', '{"a":null}')["exact"] == 1
