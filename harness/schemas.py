"""JSON Schemas that others wrote: checked before they are used, and validating in bounded time,
without network, other files or endless regular expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema
import referencing
import regex
from jsonschema.protocols import Validator

from harness.errors import TaskError
from harness.limits import LimitError, limited

__all__ = ["SECONDS", "check_rules", "problem", "resolve", "validator"]

PATIENCE = 1.0
"""Seconds that matching one pattern may take."""
SECONDS = 5.0
"""Of the processor that validating one value may take."""
MOST_RULES = 2000
"""Objects in a schema: reading 2,000 takes some 4 seconds, and time grows with their square."""
MOST_VALUES = 20_000
"""In one enum."""
LONGEST_VALUE = 10_000
"""Characters of one text in an enum."""
MOST_FACTOR = 1000
"""As multipleOf: a grammar counts remainders, and takes minutes for larger ones."""
LARGEST = 2**63
"""Beyond it grammars have no whole numbers."""
IN_PLACE = ("$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose rules are about the same value."""


def check_rules(schema: Mapping[str, Any], place: object) -> None:
    """Raise TaskError, with `place`, for rules that refer to what is not in a schema, or that
    would take too long."""
    rules = list(_objects(schema))
    if len(rules) > MOST_RULES:
        raise TaskError(
            f"{place}: has {len(rules):,} rules (at most {MOST_RULES:,}); leave out fields that "
            "are not scored, or take answer=text"
        )
    for each in rules:
        _check_reference(each, place)
        _check_pattern(each, place)
        _check_values(each, place)
        _check_numbers(each, place)
    for each in rules:
        _check_circle(each, schema, place)


def validator(schema: dict[str, Any]) -> Validator:
    """What validates values. Raises TaskError for a pattern that takes too long on one."""
    # A registry of our own fetches nothing; jsonschema's default one goes to the network.
    made: Validator = _Bounded(schema, registry=referencing.Registry())
    return made


def problem(checking: Validator, value: Any) -> str | None:
    """The first way in which a value breaks a schema, with its place in the value; None if it
    keeps it. A value that takes too long to check breaks it."""
    try:
        with limited(SECONDS):
            error = jsonschema.exceptions.best_match(checking.iter_errors(value))
    except LimitError:
        return f"takes over {SECONDS:g} s to check"
    except RecursionError:
        return "is nested too deeply to check"
    if error is None:
        return None
    place = ".".join(str(step) for step in error.absolute_path)
    return f"{place}: {error.message}" if place else str(error.message)


def resolve(reference: str, root: Any) -> Any:
    """The part of a schema that a local `$ref` names; the empty schema if it names none."""
    found: Any = root if reference.startswith("#") else {}
    for step in reference[1:].split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema, from the outside in."""
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def _check_reference(rules: Mapping[str, Any], place: object) -> None:
    for key in ("$ref", "$dynamicRef"):
        wanted = rules.get(key)
        if isinstance(wanted, str) and not wanted.startswith("#"):
            raise TaskError(
                f"{place}: {key} {wanted!r} is outside of the schema, where nothing is read; copy "
                "it into $defs and refer to #/$defs/NAME"
            )


def _check_pattern(rules: Mapping[str, Any], place: object) -> None:
    pattern = rules.get("pattern")
    if isinstance(pattern, str):
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise TaskError(f"{place}: pattern {pattern!r} cannot be read ({error})") from error


def _check_values(rules: Mapping[str, Any], place: object) -> None:
    values = rules.get("enum")
    if not isinstance(values, list):
        return
    longest = max((len(v) for v in values if isinstance(v, str)), default=0)
    if len(values) > MOST_VALUES:
        raise TaskError(
            f"{place}: an enum has {len(values):,} values (at most {MOST_VALUES:,}); take a "
            "pattern, or maxLength"
        )
    if longest > LONGEST_VALUE:
        raise TaskError(
            f"{place}: a value of an enum has {longest:,} characters (at most {LONGEST_VALUE:,}); "
            "shorten it"
        )


def _check_numbers(rules: Mapping[str, Any], place: object) -> None:
    for key, value in rules.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if isinstance(value, int) and abs(value) > LARGEST:
            shown = str(value)[:20]
            raise TaskError(f"{place}: {key} {shown}… is beyond 2**63; fix: a smaller number")
        if key == "multipleOf" and value > MOST_FACTOR:
            raise TaskError(
                f"{place}: multipleOf {value} is more than {MOST_FACTOR}; leave it out, or give "
                "minimum and maximum"
            )


def _check_circle(rules: Mapping[str, Any], root: Any, place: object) -> None:
    """Rules about one value must not lead back to themselves."""
    above: list[Any] = []
    left = [(rules, 0)]
    seen: set[int] = set()
    while left:
        one, depth = left.pop()
        del above[depth:]
        if any(one is other for other in above):
            raise TaskError(
                f"{place}: $ref {rules.get('$ref')!r} leads back to itself; fix: refer to it from "
                "a property or from items"
            )
        if id(one) in seen:
            continue
        seen.add(id(one))
        above.append(one)
        left += [(below, depth + 1) for below in _in_place(one, root)]


def _in_place(rules: Mapping[str, Any], root: Any) -> Iterator[Mapping[str, Any]]:
    for keyword in IN_PLACE:
        found = rules.get(keyword)
        if keyword == "$ref" and isinstance(found, str):
            found = resolve(found, root)
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, dict):
                yield one


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
