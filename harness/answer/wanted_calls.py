"""What a target of calls wants: lists of acceptable values, and which values are among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonschema.protocols import Validator

from harness.answer import schema
from harness.answer.functions import Function, calls_schema, is_function

__all__ = ["Call", "Wanted", "no_call"]

LEFT_OUT = ...
"""Among the acceptable values: the argument may be left out. A target says so by ""."""
IGNORED = str.maketrans({**dict.fromkeys(" ,./-_*^"), "'": '"'})
"""What texts may differ in, beside case."""


@dataclass(frozen=True)
class Call:
    """One call that a target wants.

    >>> Call("add", {"a": [1, 2], "b": [3]}).right({"a": 2, "b": 4})
    0.5
    """

    name: str
    arguments: Mapping[str, Sequence[Any]]
    """The acceptable values of each argument, the one that is taught first. In an object, at any
    depth, each property has such a list too."""

    @property
    def needed(self) -> set[str]:
        """The arguments that may not be left out."""
        return {name for name, values in self.arguments.items() if LEFT_OUT not in values}

    @property
    def taught(self) -> dict[str, Any]:
        """The first acceptable value of each argument; what may be left out is."""
        return {n: _first(values[0]) for n, values in self.arguments.items() if n in self.needed}

    def right(self, given: Mapping[str, Any]) -> float:
        """Share of the arguments that are right, of those given and those needed; 1 if there are
        none."""
        asked = self.needed | set(given)
        good = sum(n in given and _any(given[n], self.arguments.get(n, ())) for n in asked)
        return good / len(asked) if asked else 1.0


@dataclass(frozen=True)
class Wanted:
    """What a target wants.

    >>> Wanted.of([{"name": "add", "arguments": {"a": 1}}]).calls
    (Call(name='add', arguments={'a': [1]}),)
    """

    calls: tuple[Call, ...]
    functions: Sequence[Function] = ()
    """Those that are declared; none if the target names none."""

    @classmethod
    def of(cls, target: Any) -> Wanted:
        """A list of calls whose values are the only right ones, or an object with `calls` whose
        arguments are lists of acceptable values and, optionally, the declared `functions`.

        Raises ValueError for what is neither.
        """
        if isinstance(target, Mapping):
            _known(target, ("calls", "functions"), "target")
            calls = tuple(_call(c, lists=True) for c in _listed(target.get("calls"), "calls"))
            functions = _listed(target.get("functions", []), "functions")
            for function in functions:
                if not is_function(function):
                    raise ValueError(f"{function!r} has no name, or no parameters as JSON Schema")
            return cls(calls, functions)
        return cls(tuple(_call(c, lists=False) for c in _listed(target, "target")))

    @cached_property
    def validator(self) -> Validator:
        """What admits calls of the declared functions."""
        return schema.validator(calls_schema(self.functions))


def no_call(value: Any) -> str | None:
    """Why a value is no call, or None."""
    if not isinstance(value, Mapping):
        return "is no object"
    if not isinstance(value.get("name"), str):
        return 'has no "name" that is text'
    if not isinstance(value.get("arguments"), Mapping):
        return 'has no "arguments" that are an object'
    return None


def _any(given: Any, values: Sequence[Any]) -> bool:
    return any(_same(given, value) for value in values if value is not LEFT_OUT)


def _same(given: Any, wanted: Any) -> bool:
    """Whether a value is this acceptable one. A number is no text, and true is not 1; 1 and 1.0 are
    one number, as JSON has it."""
    match wanted:
        case str():
            return isinstance(given, str) and _plain(given) == _plain(wanted)
        case bool() | None:
            return given is wanted
        case int() | float():
            number = isinstance(given, int | float) and not isinstance(given, bool)
            return number and bool(given == wanted)
        case list():
            fits = isinstance(given, list) and len(given) == len(wanted)
            return fits and all(map(_same, given, wanted))
    return isinstance(given, dict) and Call("", wanted).right(given) == 1


def _plain(text: str) -> str:
    return text.translate(IGNORED).lower()


def _first(value: Any) -> Any:
    """An acceptable value with the first acceptable one in place of each list below it."""
    match value:
        case dict():
            return Call("", value).taught
        case list():
            return [_first(item) for item in value]
    return value


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"{name} is {value!r}; give a list, [] if nothing is to be called")


def _known(value: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    for name in value:
        if name not in names:
            raise ValueError(f"{what} has '{name}'; known are {', '.join(names)}")


def _call(value: Any, *, lists: bool) -> Call:
    if problem := no_call(value):
        raise ValueError(f"target: call {value!r} {problem}")
    _known(value, ("name", "arguments"), f"call of {value['name']}")
    arguments = value["arguments"]
    return Call(value["name"], _lists(arguments, value["name"]) if lists else _only(arguments))


def _lists(value: Any, place: str) -> Any:
    """A value of a target with lists of acceptable values. Raises ValueError where one lacks."""
    match value:
        case dict():
            return {name: _acceptable(v, f"{place}.{name}") for name, v in value.items()}
        case list():
            return [_lists(item, place) for item in value]
    return value


def _acceptable(values: Any, place: str) -> list[Any]:
    if not isinstance(values, list) or not values:
        fix = f"give a list of acceptable values, such as {json.dumps([values])}"
        raise ValueError(f"{place} is {values!r}; {fix}")
    optional = [LEFT_OUT] if "" in values else []
    return [*(_lists(value, place) for value in values), *optional]


def _only(value: Any) -> Any:
    """A value in which each property of an object has itself as its only acceptable value."""
    match value:
        case dict():
            return {name: [_only(below)] for name, below in value.items()}
        case list():
            return [_only(item) for item in value]
    return value
