"""Functions that an answer may call, as an input declares them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from harness.answer.functions import calls_schema, declared, declaring, is_function

ADD = {
    "name": "add",
    "description": "Sum é",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a"],
    },
}
STOP = {"name": "stop", "parameters": {}}


def admits(calls: Any, *functions: Any) -> bool:
    return jsonschema.Draft202012Validator(calls_schema(functions)).is_valid(calls)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def test_what_is_declared_is_read_back() -> None:
    assert declared(declaring("Add 1.", [ADD, STOP])) == [ADD, STOP]
    assert declared(declaring("What do Functions:\nmean?", [STOP])) == [STOP]
    assert declared("\n\n" + declaring("Add.", [STOP]).replace("\n", "\n\n")) == [STOP]


@pytest.mark.parametrize(
    "text",
    [
        "Add 1.",
        "Functions:\nadd(a, b)",
        'Functions:\n{"name": "add"}',
        'Functions:\n{"name": "add", "parameters": {"type": "dict"}}',
    ],
)
def test_what_cannot_be_read_declares_nothing(text: str) -> None:
    assert declared(text) == []


def test_calls_are_of_declared_functions_with_their_parameters() -> None:
    assert admits([], ADD)
    assert admits([call("add", a=1), call("add", a=2, b=3), call("stop")], ADD, STOP)
    wrong = [call("sum", a=1), call("add", b=1), call("add", a="1"), call("add", a=1, c=1)]
    assert not any(admits([one], ADD, STOP) for one in wrong)
    assert not admits(call("add", a=1), ADD)


def test_without_a_declaration_calls_are_of_anything() -> None:
    assert admits([call("sum", a="1")])
    assert not admits([{"name": "sum"}])


@pytest.mark.parametrize(
    "rules",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#/$defs/a"},
        {"type": "string", "pattern": "("},
    ],
)
def test_a_function_whose_parameters_refer_elsewhere_is_none(rules: dict[str, str]) -> None:
    function = {"name": "f", "parameters": {"type": "object", "properties": {"a": rules}}}
    assert not is_function(function)
    assert declared(declaring("?", [function])) == []
