"""A task is checked against the constraint before any model is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from harness.constraint import Choices, JsonSchema
from harness.errors import ConfigError, TaskError
from harness.models.grammar import check_constraint, check_targets
from harness.task import Task


def schema_of(**properties: Any) -> JsonSchema:
    return JsonSchema({"type": "object", "properties": properties})


def test_every_target_that_is_written_by_the_format_passes(task: Task) -> None:
    check_constraint(task.materials.answer.constraint)
    check_targets(task.materials.answer.constraint, (*task.materials.train, *task.eval))


def test_a_target_that_cannot_be_written_is_refused_with_its_place(task: Task) -> None:
    first = task.eval[0]
    longer, shorter = first.target + " ", first.target[:-1]
    for target in (longer, shorter, json.dumps(json.loads(first.target))):
        odd = replace(first, target=target)
        with pytest.raises(TaskError, match=r"eval\.jsonl:1: target .* cannot be written .* fix"):
            check_targets(task.materials.answer.constraint, (*task.materials.train, odd))


def test_ten_thousand_targets_take_seconds(task: Task) -> None:
    many = [replace(task.eval[0], target=f'{{"n":{i}}}') for i in range(10_000)]
    schema = schema_of(n={"type": "integer"})
    began = time.perf_counter()
    check_targets(schema, many)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"not": {"type": "string"}}, "not"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"type": "string", "format": "odd"}, "Unknown format: odd"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
    ],
)
def test_a_schema_that_makes_no_grammar_is_refused_by_name(rules: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        check_constraint(schema_of(a=rules))
    assert "\n" not in str(refused.value)
    assert "say decoding=free or change the schema" in str(refused.value)


@pytest.mark.parametrize(
    "rules",
    [
        {"enum": [f"value {i}" for i in range(1000)]},
        {"type": ["object", "null"], "properties": {"é": {"type": "array", "items": {}}}},
        {"$ref": "#"},
        {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        {"type": "string", "format": "date-time"},
    ],
)
def test_ordinary_schemas_make_a_grammar(rules: Any) -> None:
    check_constraint(schema_of(a=rules))


def test_choices_can_always_be_held_to_and_no_constraint_cannot() -> None:
    check_constraint(Choices(("a", "b")))
    with pytest.raises(ConfigError, match=r"free text leaves nothing .* say decoding=free"):
        check_constraint(None)


def test_a_target_that_is_no_choice_is_refused_with_its_place(task: Task) -> None:
    known, other = (replace(task.eval[0], target=target) for target in ("a", "c"))
    check_targets(Choices(("a", "b")), [known])
    with pytest.raises(TaskError, match=r"eval\.jsonl:1: target 'c' is not one of the 2 labels"):
        check_targets(Choices(("a", "b")), [known, other])


def test_no_model_library_is_loaded_for_the_check() -> None:
    code = "import sys, harness.models.grammar; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
