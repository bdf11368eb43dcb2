"""How long a JSON answer can become: an upper bound that the schema alone gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from harness.answer.canonical import resolve

__all__ = ["longest"]

ESCAPED = 6
"""Bytes of the longest way to write one character of a JSON string: \\u001f."""

MOST_STEPS = 100_000
"""Rules that are looked at; beyond it a schema has no bound in practice."""

FORMATS = {"date": 10, "uuid": 36, "ipv4": 15}
"""Characters of the longest text of these formats; the others have no bound."""


def longest(schema: Any) -> int | None:
    """UTF-8 bytes of the longest text that a schema admits; None if there is no bound.

    No text has more tokens than bytes, whatever the tokenizer. The bound is not always reached:
    where a schema combines subschemas, the longest of them counts.
    """
    found = _value(schema, _Root(schema), ())
    return None if found == inf else int(found)


class _Root:
    """The whole schema, and how many of its rules were looked at: rules that refer to each other
    are as many as all ways through them."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.steps = 0

    def exhausted(self) -> bool:
        self.steps += 1
        return self.steps > MOST_STEPS


def _value(schema: Any, root: _Root, above: tuple[str, ...]) -> float:
    """Bytes at most; infinite without a bound. `above` holds the references that led here."""
    if root.exhausted():
        return inf
    if schema is False:
        return 0
    if not isinstance(schema, Mapping):
        return inf
    if "const" in schema:
        return _text(schema["const"])
    if "enum" in schema:
        return max(map(_text, schema["enum"]), default=0)
    bounds = [min((_value(s, root, above) for s in schema.get("allOf", [])), default=inf)]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            bounds.append(max(_value(s, root, above) for s in schema[keyword]))
    reference = schema.get("$ref")
    if reference is not None and reference not in above:
        bounds.append(_value(resolve(reference, root.schema), root, (*above, reference)))
    bounds.append(_typed(schema, root, above))
    return min(bounds)


def _typed(schema: Mapping[str, Any], root: _Root, above: tuple[str, ...]) -> float:
    kinds = schema.get("type")
    if kinds is None:
        return inf
    return max(
        _of_type(k, schema, root, above) for k in ([kinds] if isinstance(kinds, str) else kinds)
    )


def _of_type(kind: str, schema: Mapping[str, Any], root: _Root, above: tuple[str, ...]) -> float:
    match kind:
        case "integer":
            return _integer(schema)
        case "string":
            return _string(schema)
        case "array":
            return _array(schema, root, above)
        case "object":
            return _object(schema, root, above)
    return {"null": 4, "boolean": 5}.get(kind, inf)  # a number may have any number of decimals


def _integer(schema: Mapping[str, Any]) -> float:
    low = [schema[k] for k in ("minimum", "exclusiveMinimum") if k in schema]
    high = [schema[k] for k in ("maximum", "exclusiveMaximum") if k in schema]
    if not (low and high):
        return inf
    # The 2 is for "-0", which grammars admit.
    return max(2, len(str(int(max(low)))), len(str(int(min(high)))))


def _string(schema: Mapping[str, Any]) -> float:
    characters: float = min(
        schema.get("maxLength", inf), FORMATS.get(schema.get("format", ""), inf)
    )
    width, bytes_each = _pattern(schema["pattern"]) if "pattern" in schema else (inf, ESCAPED)
    return 2 + bytes_each * min(characters, width)


def _array(schema: Mapping[str, Any], root: _Root, above: tuple[str, ...]) -> float:
    first, rest = schema.get("prefixItems", []), schema.get("items", {})
    most = schema.get("maxItems", len(first) if rest is False else inf)
    if most == inf:
        return inf
    items = [_value(s, root, above) for s in first[:most]]
    more: float = most - len(items)
    if more <= 0:
        return _enclosed(items)
    commas = more - (not items)
    return _enclosed(items) + more * _value(rest, root, above) + commas


def _object(schema: Mapping[str, Any], root: _Root, above: tuple[str, ...]) -> float:
    if schema.get("additionalProperties", True) is not False or schema.get("patternProperties"):
        return inf
    properties = schema.get("properties", {})
    return _enclosed(_text(n) + 1 + _value(s, root, above) for n, s in properties.items())


def _enclosed(parts: Iterable[float]) -> float:
    """Brackets around parts, and commas between them."""
    lengths = list(parts)
    return 2 + sum(lengths) + max(0, len(lengths) - 1)


def _text(value: Any) -> float:
    """Bytes of a value that stands in the schema; a grammar may write any control as \\u00xx."""
    match value:
        case str():
            return 2 + sum(_bytes(ord(c)) for c in value)
        case dict():
            return _enclosed(_text(k) + 1 + _text(v) for k, v in value.items())
        case list():
            return _enclosed(map(_text, value))
        case float():
            # Without an exponent, as it is written: at most 309 digits, or 324 behind the point.
            return 1100
    return max(5, len(str(value)))


def _bytes(code: int) -> int:
    """Bytes at most that a JSON string takes for one character."""
    if code < 32 or code == 127:
        return ESCAPED
    return 2 if chr(code) in '"\\' else len(chr(code).encode(errors="replace"))


def _pattern(pattern: str) -> tuple[float, int]:
    """(characters at most, bytes at most for each) of a text that matches."""
    parser: Any = re._parser  # type: ignore[attr-defined]
    try:
        parsed = parser.parse(pattern)
    except re.error:
        return inf, ESCAPED
    ends = [(str(op), str(where)) for op, where in (parsed[:1].data + parsed[-1:].data)]
    anchored = [("AT", "AT_BEGINNING"), ("AT", "AT_END")]
    if ends != anchored or parsed.state.flags & re.IGNORECASE:
        return inf, ESCAPED  # anything may stand around the match
    width = parsed.getwidth()[1]
    return (inf if width >= 2**32 - 1 else width), _widest(parsed)


def _widest(parsed: Any) -> int:
    """Bytes at most of one character of a parsed pattern."""
    most = 1
    for op, argument in parsed:
        match str(op), argument:
            case "LITERAL", code:
                most = max(most, _bytes(code))
            case "AT", _:
                pass
            case "IN", members:
                most = max(most, *map(_member, members))
            case "BRANCH", (_, branches):
                most = max(most, *map(_widest, branches))
            case "SUBPATTERN", (*_, inner):
                most = max(most, _widest(inner))
            case "MAX_REPEAT", (_, _, inner):
                most = max(most, _widest(inner))
            case _:
                return ESCAPED
    return most


def _member(member: tuple[Any, Any]) -> int:
    match str(member[0]), member[1]:
        case "LITERAL", code:
            return _bytes(code)
        case "RANGE", (low, high) if high - low < 1000:
            return max(map(_bytes, range(low, high + 1)))
    return ESCAPED
