"""The one text of a JSON value under a schema: what is taught is what a constraint admits.

Keys come in the order in which llguidance's grammar of the same schema wants them, at every depth:
those of subschemas (allOf, anyOf, oneOf, $ref) and of `properties` in the order in which these
keywords stand, then required keys that are not declared, then all others as they came.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from jsonschema.protocols import Validator

from harness.limits import SECONDS, LimitError, limited

__all__ = ["resolve", "text"]


def text(value: Any, validator: Validator) -> str:
    """A value as JSON: compact, unescaped, no number with an exponent.

    Raises ValueError for what JSON has no text for: NaN, infinity, half of a surrogate pair; and
    for what would take too long to write.
    """
    try:
        with limited(SECONDS):
            return _write(value, validator.schema, validator)
    except LimitError as error:
        raise ValueError(
            f"writing it takes over {SECONDS:g} s; combine fewer anyOf, oneOf and allOf"
        ) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply to be written") from error


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


def _write(value: Any, schema: Any, validator: Validator) -> str:
    parts = list(_parts(value, schema, validator))
    for part in parts:
        for member in part.get("enum", [part["const"]] if "const" in part else []):
            if isinstance(value, dict | list) and member == value:
                return _write(member, {}, validator)  # a grammar has it as it stands there
    if isinstance(value, dict):
        items = (
            f"{_name(k, parts)}:{_write(value[k], _of_key(parts, k), validator)}"
            for k in _keys(value, parts)
        )
        return f"{{{','.join(items)}}}"
    if isinstance(value, list):
        return f"[{','.join(_write(v, _at(parts, i), validator) for i, v in enumerate(value))}]"
    return _scalar(value)


def _parts(value: Any, schema: Any, validator: Validator) -> Iterator[Mapping[str, Any]]:
    """The subschemas that say something about a value, in the order of their keywords.

    Of anyOf and oneOf it is the first branch that validates.
    """
    if not isinstance(schema, Mapping):
        return
    plain: dict[str, Any] = {}
    for keyword, rules in schema.items():
        if keyword == "$ref":
            below = [resolve(rules, validator.schema)]
        elif keyword == "allOf":
            below = rules
        elif keyword in ("anyOf", "oneOf"):
            below = [b for b in rules if validator.evolve(schema=b).is_valid(value)][:1]
        else:
            plain[keyword] = rules
            continue
        if plain:
            yield plain
            plain = {}
        for branch in below:
            yield from _parts(value, branch, validator)
    yield plain


def _keys(value: Mapping[str, Any], parts: list[Mapping[str, Any]]) -> list[str]:
    declared = [name for part in parts for name in part.get("properties", {})]
    required = [name for part in parts for name in part.get("required", [])]
    return [k for k in dict.fromkeys([*declared, *required, *value]) if k in value]


def _name(key: str, parts: list[Mapping[str, Any]]) -> str:
    # A grammar has declared keys with DEL as it is, and the DEL of every other string escaped.
    declared = any(key in part.get("properties", {}) for part in parts)
    return json.dumps(key, ensure_ascii=False) if declared else _string(key)


def _of_key(parts: list[Mapping[str, Any]], key: str) -> Any:
    """The schema of one property."""
    found = [part["properties"][key] for part in parts if key in part.get("properties", {})]
    for part in parts:
        patterns = part.get("patternProperties", {})
        matching = [rules for p, rules in patterns.items() if re.search(p, key)]
        found += matching
        if not matching and key not in part.get("properties", {}):
            found.append(part.get("additionalProperties", {}))
    return {"allOf": found}


def _at(parts: list[Mapping[str, Any]], position: int) -> Any:
    """The schema of one item."""
    found = []
    for part in parts:
        first = part.get("prefixItems", [])
        found.append(first[position] if position < len(first) else part.get("items", {}))
    return {"allOf": found}


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if not isinstance(value, float):
        return json.dumps(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number that JSON has; fix it")
    # The grammars of integers and of numbers with bounds know no exponent, nor integers a ".0".
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def _string(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{value!r} holds half of a character; fix its \\u escapes") from error
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
