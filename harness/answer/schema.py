"""A user's JSON Schema: read, checked, and validating without network, other files or endless
regular expressions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import referencing
import regex
from jsonschema.protocols import Validator

from harness.answer.rules import check_rules
from harness.errors import TaskError
from harness.limits import SECONDS, LimitError, limited
from harness.reading import UnreadableError, json_of, text_of

__all__ = ["flaw", "read_schema", "validator", "violation"]

PATIENCE = 1.0
"""Seconds that matching one pattern may take."""
MOST_BYTES = 5_000_000
"""Of a schema's file."""


def read_schema(path: Path) -> dict[str, Any]:
    """The schema of a file. Raises TaskError for what is none, or refers to what is not in it."""
    if not path.is_file():
        raise TaskError(f"{path}: no such schema; write it or fix answer.schema")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise TaskError(
            f"{path}: has {size:,} bytes (at most {MOST_BYTES:,}); leave out what is not scored"
        )
    try:
        schema = json_of(text_of(path))
        if isinstance(schema, dict):
            check_rules(list(_objects(schema)), schema, path)
        jsonschema.Draft202012Validator.check_schema(schema)
    except UnreadableError as error:
        raise TaskError(f"{path}: {error}; fix the schema") from error
    except RecursionError as error:
        raise TaskError(f"{path}: is nested too deeply; use $defs and $ref") from error
    except jsonschema.SchemaError as error:
        raise TaskError(f"{path}: not a JSON Schema ({error.message:.200})") from error
    if not isinstance(schema, dict):
        raise TaskError(
            f"{path}: is {schema!r:.60} and not an object; list the fields of the answer"
        )
    for rules in _objects(schema):
        _check_reference(rules, path)
        _check_pattern(rules, path)
    return schema


def validator(schema: dict[str, Any]) -> Validator:
    """What validates values. Raises TaskError for a pattern that takes too long on one."""
    # A registry of our own fetches nothing; jsonschema's default one goes to the network.
    made: Validator = _Bounded(schema, registry=referencing.Registry())
    return made


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema, from the outside in."""
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def _check_reference(rules: dict[str, Any], path: Path) -> None:
    for key in ("$ref", "$dynamicRef"):
        place = rules.get(key)
        if isinstance(place, str) and not place.startswith("#"):
            raise TaskError(
                f"{path}: {key} {place!r} is outside of the schema, where nothing is read; copy it "
                "into $defs and refer to #/$defs/NAME"
            )


def _check_pattern(rules: dict[str, Any], path: Path) -> None:
    pattern = rules.get("pattern")
    if isinstance(pattern, str):
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise TaskError(f"{path}: pattern {pattern!r} cannot be read ({error})") from error


def _matches(
    _: Validator, pattern: str, value: Any, __: Any
) -> Iterator[jsonschema.ValidationError]:
    """`pattern`, in bounded time."""
    if not isinstance(value, str):
        return
    try:
        found = regex.search(pattern, value, timeout=PATIENCE)
    except TimeoutError as error:
        raise TaskError(
            f"schema: pattern {pattern!r} takes over {PATIENCE:g} s on {value[:40]!r}; "
            "write one without nested repetitions"
        ) from error
    if not found:
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


_Bounded: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _matches})


def violation(validator: Validator, value: Any) -> str | None:
    """The first way in which a value breaks a schema, with its place; None if it does not. One
    that takes too long to check breaks it."""
    try:
        with limited(SECONDS):
            error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except LimitError:
        return f"takes over {SECONDS:g} s to check"
    except RecursionError:
        return "is nested too deeply to check"
    if error is None:
        return None
    place = ".".join(str(step) for step in error.absolute_path)
    return f"{place}: {error.message}" if place else str(error.message)


def flaw(schema: Any) -> str | None:
    """Why this cannot be a schema that stands inside of another, with the fix; None if it can.

    It may refer to nothing: what `#` is would be the whole of the other.
    """
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except RecursionError:
        return "it is nested too deeply"
    except jsonschema.SchemaError as error:
        return f"not a JSON Schema ({error.message})"
    try:
        check_rules(list(_objects(schema)), schema, "parameters")
    except TaskError as error:
        return str(error)
    for rules in _objects(schema):
        for key in ("$ref", "$dynamicRef"):
            if isinstance(rules.get(key), str):
                return f"{key} {rules[key]!r} cannot be used here; write out what it stands for"
        try:
            regex.compile(rules["pattern"] if isinstance(rules.get("pattern"), str) else "")
        except regex.error as error:
            return f"pattern {rules['pattern']!r} cannot be read ({error})"
    return None
