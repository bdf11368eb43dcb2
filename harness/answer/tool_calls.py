"""Calls of declared functions, in any order; none where no function fits.

What is right is decided as the Berkeley Function-Calling Leaderboard does it for Python (Patil et
al. 2025, "The Berkeley Function Calling Leaderboard (BFCL)"): each argument has a list of
acceptable values, "" among them says that it may be left out, and texts are compared without case,
blanks and some punctuation. Where its own checker decides otherwise is listed in
tasks/bfcl/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jsonschema
import numpy as np
from jsonschema.protocols import Validator
from scipy.optimize import linear_sum_assignment

from harness.answer import canonical
from harness.answer.format import Answer, Parsed, Scorer, commonest
from harness.answer.functions import Function, calls_schema, declared, is_function
from harness.constraint import SchemaOfInput

__all__ = ["Call", "ToolCalls", "Wanted"]

LEFT_OUT = ...
"""Among the acceptable values: the argument may be left out. A target says so by ""."""
IGNORED = str.maketrans({**dict.fromkeys(" ,./-_*^"), "'": '"'})
"""What texts may differ in, beside case."""


@dataclass(frozen=True)
class Call:
    """One call that a target wants."""

    name: str
    arguments: Mapping[str, Sequence[Any]]
    """The acceptable values of each argument, the one that is taught first. In an object, at any
    depth, each property has such a list too."""

    @property
    def needed(self) -> set[str]:
        """The arguments that may not be left out."""
        return {name for name, values in self.arguments.items() if LEFT_OUT not in values}

    def right(self, given: Mapping[str, Any]) -> float:
        """Share of the arguments that are right, of those given and those needed; 1 if there are
        none."""
        asked = self.needed | set(given)
        good = sum(n in given and _any(given[n], self.arguments.get(n, ())) for n in asked)
        return good / len(asked) if asked else 1.0


@dataclass(frozen=True)
class Wanted:
    """What a target wants."""

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

    @property
    def validator(self) -> Validator:
        """What admits calls of the declared functions."""
        return jsonschema.Draft202012Validator(calls_schema(self.functions))


class ToolCalls:
    """A JSON array of calls of functions, each {"name": …, "arguments": {…}}.

    An input declares functions as `functions.declaring` writes them: its answer is held to calls
    of these. The answer to one that declares none is held to calls of anything.

    >>> answer = ToolCalls()
    >>> target = {"calls": [{"name": "add", "arguments": {"a": [1, 2], "unit": ["m", ""]}}]}
    >>> answer.write(target)
    '[{"name":"add","arguments":{"a":1}}]'
    >>> given = '[{"name":"add","arguments":{"a":2}}]'
    >>> answer.scorer().each(given, answer.accepted(target))["calls"]
    1.0
    """

    rules: ClassVar[None] = None
    labels: ClassVar[None] = None
    fields: ClassVar[tuple[()]] = ()
    longest: ClassVar[None] = None
    measures: ClassVar[tuple[str, ...]] = ("name", "arguments", "valid", "called", "abstained")
    constraint: ClassVar[SchemaOfInput] = SchemaOfInput(lambda text: calls_schema(declared(text)))

    def write(self, target: Any) -> str:
        """The first acceptable values; what may be left out is."""
        wanted = Wanted.of(_read(target))
        calls = [{"name": c.name, "arguments": _taught(c.arguments)} for c in wanted.calls]
        error = jsonschema.exceptions.best_match(wanted.validator.iter_errors(calls))
        if error is not None:
            raise ValueError(f"target is no call of a declared function: {error.message[:200]}")
        return canonical.text(calls, wanted.validator)

    def accepted(self, target: Any) -> str:
        """What answers are compared with: all acceptable values, and the declared functions."""
        target = _read(target)
        return self.write(target) if isinstance(target, list) else json.dumps(target)

    def parse(self, text: str) -> Parsed:
        """The first JSON array in the text, or a call without one around it: chatter and code
        fences are forgiven."""
        starts = [text.find(mark) for mark in "[{" if mark in text]
        if not starts:
            return Parsed(None, "no JSON array")
        try:
            value, _ = json.JSONDecoder().raw_decode(text, min(starts))
        except (json.JSONDecodeError, RecursionError) as error:
            return Parsed(None, f"broken JSON ({getattr(error, 'msg', 'nested too deeply')})")
        calls = value if isinstance(value, list) else [value]
        for number, call in enumerate(calls, 1):
            if problem := _no_call(call):
                return Parsed(None, f"call {number} {problem}")
        return Parsed(calls)

    def describe(self, instructions: str) -> str:
        return instructions

    def fitted(self, targets: Iterable[str]) -> Answer:
        return self

    def majority(self, targets: Sequence[str]) -> str:
        return commonest(targets) or "[]"

    def scorer(self) -> Scorer:
        """Whether all calls are right, and parts of that; see tasks/bfcl/README.md."""
        from harness.answer.metric import AnswerMetric

        return AnswerMetric("calls of functions against lists of acceptable values", self._each)

    def _each(self, prediction: str, reference: str) -> dict[str, float]:
        wanted = Wanted.of(json.loads(reference))
        parsed: list[dict[str, Any]] | None = self.parse(prediction).value
        given = parsed or []
        readable = parsed is not None
        values = {
            "readable": float(readable),
            "valid": float(readable and wanted.validator.is_valid(given)),
        }
        if not wanted.calls:
            abstained = float(readable and not given)
            return {"calls": abstained, "abstained": abstained, **values}
        pairs = _matched(given, wanted.calls)
        most = max(len(given), len(wanted.calls))
        return {
            "calls": float(len(pairs) == most and all(share == 1 for share in pairs)),
            "name": len(pairs) / most,
            "arguments": sum(pairs) / most,
            "called": float(bool(given)),
            **values,
        }


def _matched(given: Sequence[Mapping[str, Any]], wanted: Sequence[Call]) -> list[float]:
    """The shares of right arguments of calls with the right name, under the assignment that gets
    the most out of an answer, whatever its order."""
    if not given:
        return []
    credit = np.array([[_credit(call, other) for other in wanted] for call in given])
    chosen = credit[linear_sum_assignment(credit, maximize=True)]
    return [float(2 * value - 1) for value in chosen if value > 0]


def _credit(given: Mapping[str, Any], wanted: Call) -> float:
    """0 for another function, else from ½ up: a right name counts before right arguments."""
    if given["name"] != wanted.name:
        return 0.0
    return (1 + wanted.right(given["arguments"])) / 2


def _any(given: Any, values: Sequence[Any]) -> bool:
    return any(_same(given, value) for value in values)


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


def _taught(arguments: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: _first(values[0]) for name, values in arguments.items() if LEFT_OUT not in values}


def _first(value: Any) -> Any:
    """An acceptable value with the first acceptable one in place of each list below it."""
    match value:
        case dict():
            return _taught(value)
        case list():
            return [_first(item) for item in value]
    return value


def _no_call(value: Any) -> str | None:
    """Why a value is no call, or None."""
    if not isinstance(value, Mapping):
        return "is no object"
    if not isinstance(value.get("name"), str):
        return 'has no "name" that is text'
    if not isinstance(value.get("arguments"), Mapping):
        return 'has no "arguments" that are an object'
    return None


def _read(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    try:
        return json.loads(target)
    except json.JSONDecodeError as error:
        raise ValueError(f"target is not JSON ({error.msg}): {target[:60]!r}") from error


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"{name} is {value!r}; give a list, [] if nothing is to be called")


def _known(value: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    for name in value:
        if name not in names:
            raise ValueError(f"{what} has '{name}'; known are {', '.join(names)}")


def _call(value: Any, *, lists: bool) -> Call:
    if problem := _no_call(value):
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
