"""Schemas of users: what they refer to, and how long they may take."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness.answer.schema import read_schema, validator
from harness.errors import TaskError


def written(folder: Path, schema: Any) -> Path:
    path = folder / "schema.json"
    path.write_text(json.dumps(schema))
    return path


@pytest.mark.parametrize("key", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize(
    "place", ["http://localhost:1/s.json", "file:///etc/hostname", "other.json#/$defs/a"]
)
def test_what_is_outside_of_a_schema_is_not_read(tmp_path: Path, key: str, place: str) -> None:
    path = written(tmp_path, {"properties": {"a": {"items": {key: place}}}})
    with pytest.raises(TaskError, match=r"is outside of the schema.*#/\$defs/NAME"):
        read_schema(path)


def test_what_is_inside_of_a_schema_is_found(tmp_path: Path) -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/small"}}, "$defs": {"small": {"maximum": 3}}}
    checking = validator(read_schema(written(tmp_path, schema)))
    assert checking.is_valid({"a": 3})
    assert not checking.is_valid({"a": 4})


def test_a_pattern_that_never_ends_is_stopped_and_named(tmp_path: Path) -> None:
    schema = {"properties": {"a": {"pattern": r"^(a|aa)+$"}}}
    checking = validator(read_schema(written(tmp_path, schema)))
    assert checking.is_valid({"a": "aaa"})
    began = time.monotonic()
    with pytest.raises(TaskError, match=r"takes over 1 s.*nested repetitions"):
        checking.is_valid({"a": "a" * 60 + "b"})
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": \xff}', "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"true", "is True and not an object"),
    ],
    ids=["bytes", "utf-16", "deep", "boolean"],
)
def test_a_schema_that_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=said):
        read_schema(path)
