"""A task is checked against the constraint before any model is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness.models.grammar import check_grammar, check_targets

from harness.answer import Json, Label, Text
from harness.errors import ConfigError, TaskError
from harness.task import Task


def answer_of(folder: Path, **properties: Any) -> Json:
    path = folder / "schema.json"
    path.write_text(json.dumps({"type": "object", "properties": properties}), encoding="utf-8")
    return Json(str(path))


def test_every_target_that_is_written_by_the_format_passes(task: Task) -> None:
    check_grammar(task.materials.answer)
    check_targets(task.materials.answer, (*task.materials.train, *task.eval))


def test_a_target_that_cannot_be_written_is_refused_with_its_place(task: Task) -> None:
    first = task.eval[0]
    longer, shorter = first.target + " ", first.target[:-1]
    for target in (longer, shorter, json.dumps(json.loads(first.target))):
        odd = replace(first, target=target)
        with pytest.raises(TaskError, match=r"eval\.jsonl:1: target .* cannot be written .* fix"):
            check_targets(task.materials.answer, (*task.materials.train, odd))


def test_ten_thousand_targets_take_seconds(task: Task) -> None:
    many = [replace(task.eval[0], target=f'{{"n":{i}}}') for i in range(10_000)]
    answer = Json.__new__(Json)
    answer.schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    began = time.perf_counter()
    check_targets(answer, many)
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
def test_a_schema_that_makes_no_grammar_is_refused_by_name(
    tmp_path: Path, rules: Any, named: str
) -> None:
    answer = answer_of(tmp_path, a=rules)  # which is good enough for free decoding
    with pytest.raises(ConfigError, match=named) as refused:
        check_grammar(answer)
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
def test_ordinary_schemas_make_a_grammar(tmp_path: Path, rules: Any) -> None:
    check_grammar(answer_of(tmp_path, a=rules))


def test_labels_can_be_constrained_and_free_text_cannot() -> None:
    check_grammar(Label(["a", "b"]))
    with pytest.raises(ConfigError, match="say decoding=free"):
        check_grammar(Text())


def test_a_target_that_is_no_label_is_refused_with_its_place(task: Task) -> None:
    known, other = (replace(task.eval[0], target=target) for target in ("a", "c"))
    check_targets(Label(["a", "b"]), [known])
    with pytest.raises(TaskError, match=r"eval\.jsonl:1: target 'c' is not one of the 2 labels"):
        check_targets(Label(["a", "b"]), [known, other])


def test_no_model_library_is_loaded_for_the_check() -> None:
    code = "import sys, harness.models.grammar; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
