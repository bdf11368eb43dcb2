"""Rules of a JSON Schema that would take too long: refused before they are used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.answer.canonical import resolve
from harness.errors import TaskError

__all__ = ["check_rules"]

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


def check_rules(rules: Sequence[Mapping[str, Any]], root: Mapping[str, Any], place: object) -> None:
    """Raise TaskError, with `place`, for rules of the schema `root` that would take too long."""
    if len(rules) > MOST_RULES:
        raise TaskError(
            f"{place}: has {len(rules):,} rules (at most {MOST_RULES:,}); leave out fields that "
            "are not scored, or take answer=text"
        )
    for each in rules:
        _check_names(each, place)
        _check_values(each, place)
        _check_numbers(each, place)
    for each in rules:
        _check_circle(each, root, place)


def _check_names(rules: Mapping[str, Any], place: object) -> None:
    named = rules.get("patternProperties")
    for pattern in named if isinstance(named, Mapping) else ():
        try:
            re.compile(pattern)
        except re.error as error:
            raise TaskError(
                f"{place}: patternProperties {pattern!r} cannot be read ({error}); fix the pattern"
            ) from error


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
