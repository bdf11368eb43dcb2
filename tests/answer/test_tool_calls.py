"""Calls of functions: written, read, declared and scored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.answer import Accepting, Json, Label, Text, ToolCalls
from harness.answer.format import accepted_by
from harness.answer.functions import declaring
from harness.constraint import JsonSchema, resolved
from harness.evidence import scoring
from harness.models.grammar import check_constraint, check_targets
from harness.task import Example, Prediction
from tests.answer.test_functions import ADD, STOP, call

ANSWER = ToolCalls()


def wanted(*calls: Any, **more: Any) -> dict[str, Any]:
    return {"calls": list(calls), **more}


def values(target: Any, given: Any) -> dict[str, float]:
    """Measures of an answer; calls are written as JSON."""
    text = given if isinstance(given, str) else json.dumps(given)
    return ANSWER.scorer().each(text, ANSWER.accepted(target))


def right(target: Any, given: Any) -> bool:
    return values(target, given)["calls"] == 1


class TestTargets:
    def test_the_first_acceptable_values_are_taught_in_the_declared_order(self) -> None:
        target = wanted(call("add", b=[3, 4], a=[1]), call("stop"), functions=[ADD, STOP])
        text = '[{"name":"add","arguments":{"a":1,"b":3}},{"name":"stop","arguments":{}}]'
        assert ANSWER.write(target) == text
        assert ANSWER.write([]) == ANSWER.write("[]") == "[]"

    def test_what_may_be_left_out_is_left_out(self) -> None:
        target = wanted(call("add", a=[1], unit=["m", ""], place=[{"x": [1], "y": [2, ""]}]))
        assert ANSWER.write(target) == '[{"name":"add","arguments":{"a":1,"place":{"x":1}}}]'

    def test_plain_calls_are_the_only_right_ones(self) -> None:
        target = [call("add", a=[1, 2], place={"x": 1})]
        assert ANSWER.write(target) == '[{"name":"add","arguments":{"a":[1,2],"place":{"x":1}}}]'
        assert right(target, target)
        assert not right(target, [call("add", a=1, place={"x": 1})])
        assert ANSWER.write([call("say", text="")]) == '[{"name":"say","arguments":{"text":""}}]'
        assert not right([call("say", text="")], [call("say")])

    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ("add(1)", "target is not JSON"),
            (3, "target is 3; give a list"),
            (f'[{{"name":"a","arguments":{{"x":{"[" * 800}{"]" * 800}}}}}]', "nested too deeply"),
            (
                wanted(call("add", a=1)),
                r"add\.a is 1; give a list of acceptable values, such as \[1\]",
            ),
            (wanted(call("add", a=[{"x": 1}])), r"add\.a\.x is 1; give a list"),
            (wanted(call("add", a=[])), r"add\.a is \[\]; give a list"),
            (wanted({"name": "add"}), 'has no "arguments"'),
            ([{**call("add"), "id": 1}], "call of add has 'id'; known are name, arguments"),
            (wanted(extra=1), "target has 'extra'; known are calls, functions"),
            (wanted(functions=[{"name": "add"}]), "has no name, or no parameters"),
            (wanted(call("add", a=["1"]), functions=[ADD]), "no call of a declared function"),
            (wanted(call("sum"), functions=[ADD]), "no call of a declared function"),
        ],
    )
    def test_what_is_no_target_is_said(self, target: Any, problem: str) -> None:
        with pytest.raises(ValueError, match=problem):
            ANSWER.write(target)

    def test_what_is_accepted_is_kept_beside_the_target(self) -> None:
        target = wanted(call("add", a=[1, 2]))
        assert isinstance(ANSWER, Accepting)
        assert json.loads(accepted_by(ANSWER, target)) == target
        assert accepted_by(Label(["a"]), "a") == accepted_by(Text(), "a") == ""
        assert not issubclass(Json, Accepting)


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            '[{"name":"stop","arguments":{}}]',
            'Sure:\n```json\n[{"name": "stop", "arguments": {}}]\n```\nDone.',
            '{"name": "stop", "arguments": {}}',
        ],
    )
    def test_chatter_fences_and_a_missing_array_are_forgiven(self, text: str) -> None:
        assert ANSWER.parse(text).value == [call("stop")]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("I cannot do that.", "no JSON array"),
            ("[stop()]", "broken JSON"),
            ("[1]", "call 1 is no object"),
            ('[{"arguments": {}}]', 'call 1 has no "name" that is text'),
            ('[{"name": "stop"}]', 'call 1 has no "arguments" that are an object'),
        ],
    )
    def test_what_cannot_be_read_says_why(self, text: str, problem: str) -> None:
        assert str(ANSWER.parse(text).problem).startswith(problem)


class TestScoring:
    def test_any_acceptable_value_is_right(self) -> None:
        target = wanted(call("add", a=[1, 2], unit=["m", ""]))
        assert right(target, [call("add", a=2)])
        assert right(target, [call("add", a=1, unit="m")])
        assert not right(target, [call("add", a=3)])
        assert not right(target, [call("add", unit="m")])
        assert not right(target, [call("add", a=1, unit="km")])
        assert not right(target, [call("add", a=1, extra=1)])

    @pytest.mark.parametrize(
        ("accepted", "given", "same"),
        [
            (5, 5.0, True),
            (5.0, 5, True),
            (5, "5", False),
            ("5", 5, False),
            (1, True, False),
            (True, 1, False),
            (None, None, True),
            ("New York, NY", "new york ny", True),
            ("2024-01-02", "2024/01/02", True),
            ("it's", 'it"s', True),
            ("Oslo", ["Oslo"], False),
            ([1, "A-b"], [1.0, "ab"], True),
            ([1, 2], [2, 1], False),
            ([1, 2], [1], False),
            ({"x": [1, 2], "y": ["", 3]}, {"x": 2}, True),
            ({"x": [1], "y": ["", 3]}, {"x": 1, "y": 4}, False),
            ({"x": [1], "y": ["", 3]}, {"x": 1, "y": {}}, False),
            ({"x": [1]}, {"x": 1, "z": 1}, False),
            ({"x": [1]}, [1], False),
            ([{"x": [1]}], [{"x": 1}], True),
        ],
    )
    def test_values(self, accepted: Any, given: Any, same: bool) -> None:
        assert right(wanted(call("f", a=[accepted])), [call("f", a=given)]) is same

    def test_calls_come_in_any_order_under_the_best_assignment(self) -> None:
        # The first target takes both answers, the second only the first one.
        target = wanted(call("f", a=[1, 2]), call("f", a=[1]))
        assert right(target, [call("f", a=1), call("f", a=2)])
        assert right(target, [call("f", a=2), call("f", a=1)])
        assert not right(target, [call("f", a=2), call("f", a=2)])

    def test_parts_that_are_right_are_counted_apart(self) -> None:
        target = wanted(call("f", a=[1], b=[2]), call("g"))
        assert values(target, [call("g"), call("f", a=1, b=3)]) == {
            "calls": 0.0, "name": 1.0, "arguments": 0.75, "called": 1.0, "readable": 1.0,
            "valid": 1.0,
        }  # fmt: skip
        one_more = values(target, [call("g"), call("f", a=1, b=2), call("h"), call("h")])
        assert (one_more["calls"], one_more["name"], one_more["arguments"]) == (0.0, 0.5, 0.5)
        none = values(target, [])
        assert (none["calls"], none["name"], none["called"]) == (0.0, 0.0, 0.0)

    def test_abstaining_is_an_empty_array_and_not_an_answer_that_cannot_be_read(self) -> None:
        assert values([], "[]") == {"calls": 1.0, "abstained": 1.0, "readable": 1.0, "valid": 1.0}
        assert values([], [call("f")])["abstained"] == 0.0
        assert values([], "I cannot do that.")["calls"] == 0.0

    def test_valid_calls_keep_the_declaration(self) -> None:
        target = wanted(call("add", a=[1]), functions=[ADD])
        assert values(target, [call("add", a=2)])["valid"] == 1.0
        for wrong in (call("add", a="2"), call("add", b=2), call("sum", a=2)):
            assert values(target, [wrong])["valid"] == 0.0

    def test_a_task_scores_against_all_that_is_accepted(self) -> None:
        target = wanted(call("add", a=[1, 2]))
        example = Example(
            "e", "Add.", ANSWER.write(target), "g", (), {}, "eval.jsonl:1", ANSWER.accepted(target)
        )
        assert example.record()["accepted"] == example.reference
        given = Prediction("e", '[{"name":"add","arguments":{"a":2}}]', "stop", 1, 1, 1, 0.1)
        assert scoring._values(ANSWER.scorer(), given, example)["calls"] == 1.0


def test_an_answer_is_held_to_the_functions_of_its_input() -> None:
    adding, stopping = declaring("Add.", [ADD]), declaring("Stop.", [STOP])
    check_constraint(ANSWER.constraint)
    schemas = resolved(ANSWER.constraint, [adding, stopping])
    assert isinstance(schemas, list)
    text = ANSWER.write([call("add", a=1), call("add", b=2, a=3)])
    example = Example("e", adding, text.replace('"b":2,"a":3', '"a":3,"b":2'), "", (), {}, "x:1")
    check_targets(schemas[0], [example])
    check_targets(ANSWER.constraint, [example])
    with pytest.raises(Exception, match=r"x:1: target .* cannot be written"):
        check_targets(schemas[1], [example])
    assert isinstance(schemas[1], JsonSchema)
