"""Functions that an answer may call: how an input declares them, and what calls of them are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.answer.schema import flaw

__all__ = ["Function", "calls_schema", "declared", "declaring", "is_function"]

Function = Mapping[str, Any]
"""`{"name": …, "description": …, "parameters": a JSON Schema}`"""

HEADING = "Functions:"


def declaring(request: str, functions: Sequence[Function]) -> str:
    """An input: the request, and below it the functions, one on a line.

    >>> print(declaring("Add 1 and 2.", [{"name": "add", "parameters": {}}]))
    Add 1 and 2.
    Functions:
    {"name":"add","parameters":{}}
    """
    lines = [json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in functions]
    return "\n".join([request, HEADING, *lines])


def declared(text: str) -> list[Function]:
    """The functions that an input declares; none if what stands there cannot be read.

    >>> [f["name"] for f in declared(declaring("Add.", [{"name": "add", "parameters": {}}]))]
    ['add']
    """
    _, heading, below = text.rpartition(f"{HEADING}\n")
    if not heading:
        return []
    try:
        found = [json.loads(line) for line in below.splitlines() if line.strip()]
    except json.JSONDecodeError:
        return []
    return found if all(map(is_function, found)) else []


def is_function(value: Any) -> bool:
    """Whether a value declares a function."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return False
    parameters = value.get("parameters")
    return isinstance(parameters, Mapping) and flaw(parameters) is None


def calls_schema(functions: Sequence[Function]) -> dict[str, Any]:
    """The schema of a list of calls of these functions, in any number; of whatever functions if
    none are given."""
    one = [_call({"const": f["name"]}, _closed(f["parameters"])) for f in functions]
    anything = _call({"type": "string"}, {"type": "object"})
    return {"type": "array", "items": {"anyOf": one} if one else anything}


def _call(name: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": name, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _closed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that are not declared are none, unless a schema says so itself."""
    return {"type": "object", "additionalProperties": False, **parameters}
