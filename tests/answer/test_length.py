"""The longest JSON answer that a schema admits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.answer import Json
from harness.answer.length import longest
from tests.conftest import ROOT


def bound(rules: Any, **more: Any) -> int | None:
    """Bytes of the longest value of one property."""
    schema = {
        "type": "object",
        "properties": {"a": rules},
        "additionalProperties": False,
        **more,
    }
    found = longest(schema)
    return None if found is None else found - len('{"a":}')


@pytest.mark.parametrize(
    ("rules", "most"),
    [
        ({"enum": ["a", "é", 1234567, None]}, 7),
        ({"const": {"b": [1, True]}}, len('{"b":[1') + 5 + len(",true]}")),
        ({"type": ["boolean", "null"]}, 5),
        ({"type": "integer", "minimum": -10, "maximum": 5000}, 4),
        ({"type": "string", "maxLength": 3}, len('"\\u0001\\u0001\\u0001"')),
        ({"type": "string", "pattern": "^[a-z]{2,4}-[0-9]$"}, 8),
        ({"type": "string", "pattern": "^[a-z]+$", "maxLength": 3}, 5),
        ({"type": "string", "pattern": "^[äöü]{2}$"}, 6),
        ({"type": "string", "pattern": '^(a|"bc")$'}, 2 + 4 * 2),
        ({"type": "array", "items": {"enum": ["ab"]}, "maxItems": 3}, len('["ab","ab","ab"]')),
        ({"type": "array", "prefixItems": [{"const": "a"}], "items": False}, len('["a"]')),
        ({"anyOf": [{"enum": ["a"]}, {"enum": ["abc"]}]}, 5),
        ({"$ref": "#/$defs/short"}, 3),
        ({"allOf": [{"type": "string"}, {"enum": ["a"]}]}, 3),
    ],
)
def test_a_bounded_value_has_its_longest_text(rules: Any, most: int) -> None:
    assert bound(rules, **{"$defs": {"short": {"const": "a"}}}) == most


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"type": "string"},
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "string", "pattern": "[a-z]{2}"},
        {"type": "string", "pattern": "^a|b$"},
        {"type": "integer", "minimum": 0},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "array", "items": {"const": 1}},
        {"type": "object", "properties": {"b": {"const": 1}}},
        {"$ref": "#"},
        {"anyOf": [{"const": "a"}, {"type": "string"}]},
    ],
)
def test_a_value_without_a_bound_has_none(rules: Any) -> None:
    assert bound(rules) is None


def test_the_example_task_has_a_bound_that_all_its_targets_keep() -> None:
    folder = ROOT / "tasks" / "support_json"
    answer = Json(str(folder / "schema.json"))
    assert answer.longest == 249
    for split in ("train", "dev", "eval"):
        for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            assert len(answer.write(json.loads(line)["target"])) <= 249
