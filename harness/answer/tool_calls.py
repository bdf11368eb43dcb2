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
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from harness.answer import canonical
from harness.answer.format import Answer, Parsed, Scorer, commonest
from harness.answer.functions import calls_schema, declared
from harness.answer.schema import violation
from harness.answer.wanted_calls import Call, Wanted, no_call
from harness.constraint import SchemaOfInput
from harness.reading import UnreadableError, json_of

__all__ = ["ToolCalls"]


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
        try:
            wanted = Wanted.of(_read(target))
            calls = [{"name": c.name, "arguments": c.taught} for c in wanted.calls]
        except RecursionError as error:
            raise ValueError("target is nested too deeply; make it flatter") from error
        if problem := violation(wanted.validator, calls):
            raise ValueError(f"target is no call of a declared function: {problem[:200]}")
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
            if problem := no_call(call):
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
        wanted = _wanted(reference)
        parsed: list[dict[str, Any]] | None = self.parse(prediction).value
        given = parsed or []
        readable = parsed is not None
        values = {
            "readable": float(readable),
            "valid": float(readable and violation(wanted.validator, given) is None),
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


@lru_cache(maxsize=4096)
def _wanted(reference: str) -> Wanted:
    return Wanted.of(json.loads(reference))


def _matched(given: Sequence[Mapping[str, Any]], wanted: Sequence[Call]) -> list[float]:
    """The shares of right arguments of calls with the right name, under the assignment that gets
    the most out of an answer, whatever its order."""
    if not given:
        return []
    from scipy.optimize import linear_sum_assignment

    credit = np.array([[_credit(call, other) for other in wanted] for call in given])
    chosen = credit[linear_sum_assignment(credit, maximize=True)]
    return [float(2 * value - 1) for value in chosen if value > 0]


def _credit(given: Mapping[str, Any], wanted: Call) -> float:
    """0 for another function, else from ½ up: a right name counts before right arguments."""
    if given["name"] != wanted.name:
        return 0.0
    return (1 + wanted.right(given["arguments"])) / 2


def _read(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    try:
        return json_of(target)
    except UnreadableError as error:
        raise ValueError(f"target is {error}: {target[:60]!r}") from error
