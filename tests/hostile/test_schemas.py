"""Schemas that are too large, too deep or endless: refused by name, or checked in bounded time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness.answer import Json
from harness.answer.length import longest
from harness.constraint import JsonSchema
from harness.errors import ConfigError, TaskError
from harness.models.grammar import check_constraint


def one(rules: Any, **more: Any) -> dict[str, Any]:
    """A schema of one property."""
    return {
        "type": "object",
        "properties": {"a": rules},
        "required": ["a"],
        "additionalProperties": False,
        **more,
    }


def many(count: int, required: bool = True) -> dict[str, Any]:
    names = [f"p{i}" for i in range(count)]
    rules = {name: {"type": "integer"} for name in names}
    return {"type": "object", "properties": rules, "required": names if required else []}


def bomb(depth: int, keyword: str) -> dict[str, Any]:
    """Rules that are twice as many at each step: 2 to the power of `depth`, written out."""
    steps = {f"d{i}": {keyword: [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(depth)}
    return one({"$ref": "#/$defs/d0"}, **{"$defs": {**steps, f"d{depth}": {"type": "integer"}}})


def mutual(count: int) -> dict[str, Any]:
    """Rules that each refer to all: factorially many ways through them."""
    wanted = [{"$ref": f"#/$defs/d{i}"} for i in range(count)]
    objects = {f"d{i}": {"properties": {"b": {"anyOf": wanted}}} for i in range(count)}
    return one({"$ref": "#/$defs/d0"}, **{"$defs": objects})


def alternatives(count: int) -> dict[str, Any]:
    """All of so many pairs of alternatives: 2 to the power of `count`, multiplied out."""
    pairs = [[{"required": [f"p{i}"]}, {"required": [f"q{i}"]}] for i in range(count)]
    return {"type": "object", "properties": {}, "allOf": [{"anyOf": pair} for pair in pairs]}


def deep(depth: int) -> dict[str, Any]:
    rules: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        rules = one(rules)
    return rules


def read(folder: Path, schema: Any) -> Json:
    path = folder / "schema.json"
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return Json(str(path))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (many(10_000), r"has 10,002 rules .at most 2,000.; leave out fields"),
        (one({"enum": [f"v{i}" for i in range(100_000)]}), "an enum has 100,000 values"),
        (one({"enum": ["x" * 1_000_000]}), "a value of an enum has 1,000,000 characters"),
        (one({"type": "integer", "multipleOf": 999_983}), "multipleOf 999983 is more than 1000"),
        (one({"type": "integer", "maximum": 10**308}), r"maximum 1000.*is beyond 2\*\*63"),
        (one({"type": "array", "maxItems": 10**30}), r"maxItems .* is beyond 2\*\*63"),
        ('{"properties": {"a": {"maximum": ' + "9" * 5000 + "}}}", "a number has too many digits"),
        (deep(400), "nested too deeply"),
        (one({"$ref": "#/$defs/a"}, **{"$defs": {"a": {"$ref": "#/$defs/a"}}}), "back to itself"),
        ({"$ref": "#", "properties": {"a": {}}}, "back to itself"),
        ({"anyOf": [{"not": {"$ref": "#"}}], "properties": {"a": {}}}, "back to itself"),
        ({"patternProperties": {"(": {}}, "properties": {"a": {}}}, "fix the pattern"),
        (" " * 5_000_001, "has 5,000,001 bytes"),
    ],
    ids=["properties", "enum", "long value", "remainders", "maximum", "maxItems", "digits", "deep",
         "circle", "root", "not", "names", "size"],
)  # fmt: skip
def test_what_would_take_too_long_is_refused_by_name(
    tmp_path: Path, schema: Any, said: str
) -> None:
    began = time.process_time()
    with pytest.raises(TaskError, match=rf"schema\.json: .*{said}"):
        read(tmp_path, schema)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (one({"type": "number", "minimum": -1e308, "maximum": 1e308}), "float range"),
        (one({"enum": [2**70]}), "makes no grammar"),
        (many(900, required=False), "items; max is 2000"),
    ],
    ids=["range", "number", "optional"],
)
def test_what_has_no_grammar_is_said_before_the_first_answer(
    tmp_path: Path, schema: Any, said: str
) -> None:
    answer = read(tmp_path, schema)
    with pytest.raises(ConfigError, match=rf"{said}.*decoding=free or change the schema"):
        check_constraint(answer.constraint)


@pytest.mark.parametrize(
    "rules",
    [
        {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
        {"type": "array", "items": {"const": 1}, "maxItems": 10**9},
        {"type": "string", "maxLength": 10**9},
        {"type": "string", "minLength": 10**9},
        {"type": "integer", "minimum": -(10**18), "maximum": 10**18},
    ],
)
def test_large_counts_take_no_time(tmp_path: Path, rules: Any) -> None:
    began = time.process_time()
    answer = read(tmp_path, one(rules))
    check_constraint(answer.constraint)
    assert answer.longest is None or answer.longest > 20
    assert answer.violation({"a": None}) is not None
    assert time.process_time() - began < 3


@pytest.mark.parametrize("schema", [bomb(40, "anyOf"), bomb(40, "allOf"), mutual(12)])
def test_rules_that_multiply_have_no_bound_that_is_looked_for_long(schema: Any) -> None:
    began = time.process_time()
    assert longest(schema) is None
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (bomb(40, "anyOf"), None),
        (bomb(40, "allOf"), None),
        (mutual(40), None),
        (alternatives(24), "makes no grammar"),
    ],
    ids=["anyOf", "allOf", "mutual", "alternatives"],
)
def test_rules_that_multiply_are_soon_a_grammar_or_none(schema: Any, said: str | None) -> None:
    began = time.process_time()
    if said is None:
        check_constraint(JsonSchema(schema))
    else:
        with pytest.raises(ConfigError, match=said):
            check_constraint(JsonSchema(schema))
    assert time.process_time() - began < 5


def test_a_value_that_takes_too_long_to_check_breaks_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.answer.schema.SECONDS", 0.2)
    answer = read(tmp_path, bomb(40, "anyOf"))
    assert answer.violation({"a": "x"}) == "takes over 0.2 s to check"
    with pytest.raises(ValueError, match=r"takes over 0\.2 s to check"):
        answer.write({"a": "x"})


def test_an_answer_nested_without_end_breaks_a_recursive_schema(tmp_path: Path) -> None:
    answer = read(tmp_path, {"type": "object", "properties": {"a": {"$ref": "#"}}})
    value: dict[str, Any] = {}
    for _ in range(400):
        value = {"a": value}
    assert answer.violation(value) == "is nested too deeply to check"
    assert answer.violation({"a": {"a": {}}}) is None
