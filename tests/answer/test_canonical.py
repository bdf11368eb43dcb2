"""One text for each value: the grammar of the schema admits it, and it is read back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llguidance import LLTokenizer

from harness.answer import Json
from harness.models.grammar import matcher

Make = Callable[[Any], Json]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The answer format whose one property is `a`."""
    folder = tmp_path_factory.mktemp("schemas")

    def of(schema: Any, **more: Any) -> Json:
        whole = {"type": "object", "properties": {"a": schema}, "required": ["a"], **more}
        path = Path(folder) / "schema.json"
        path.write_text(json.dumps(whole), encoding="utf-8")
        return Json(str(path))

    return of


def admits(answer: Json, text: str) -> bool:
    tokenizer = LLTokenizer("byte")
    tokens = [*text.encode(), tokenizer.eos_token]
    return matcher(answer.constraint, tokenizer).validate_tokens(tokens) == len(tokens)


NAMES = st.text(st.characters(codec="utf-8"), max_size=4)
LEAVES = st.one_of(
    st.tuples(st.just({"type": "integer"}), st.integers() | st.integers(-9, 9).map(float)),
    st.tuples(
        st.just({"type": "number"}),
        st.floats(-1e30, 1e30, allow_nan=False) | st.integers() | st.floats(-1e-5, 1e-5),
    ),
    st.tuples(
        st.just({"type": "number", "minimum": -2, "maximum": 1000}),
        st.floats(-2, 1000, allow_nan=False),
    ),
    st.tuples(st.just({"type": "string"}), st.text(st.characters(codec="utf-8"))),
    st.tuples(st.just({"type": ["boolean", "null"]}), st.sampled_from([True, False, None])),
    NAMES.map(lambda name: ({"enum": ["other", name]}, name)),
    NAMES.map(lambda name: ({"enum": [{"z": 1.0, "b": name}]}, {"b": name, "z": 1})),
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> tuple[Any, Any]:
    """An object schema, and a value with some of its properties, in any order."""
    properties = draw(st.dictionaries(NAMES, inner, max_size=4))
    given_names = draw(st.permutations(list(properties)))
    kept = given_names[: draw(st.integers(0, len(given_names)))]
    required = [name for name in kept if draw(st.booleans())]
    schema = {
        "type": "object",
        "properties": {name: rules for name, (rules, _) in properties.items()},
        "required": required,
        "additionalProperties": draw(st.booleans()),
    }
    return schema, {name: properties[name][1] for name in kept}


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    rows = st.tuples(inner, st.integers(0, 3)).map(
        lambda row: ({"type": "array", "items": row[0][0]}, [row[0][1]] * row[1])
    )
    firsts = st.lists(inner, min_size=1, max_size=3).map(
        lambda pairs: (
            {"type": "array", "prefixItems": [p[0] for p in pairs], "items": False},
            [p[1] for p in pairs],
        )
    )
    return rows | firsts


NESTED = st.recursive(LEAVES, lambda inner: objects(inner) | arrays(inner), max_leaves=8)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pair=NESTED)
def test_what_is_written_is_admitted_and_read_back_whatever_the_schema(
    make: Make, pair: tuple[Any, Any]
) -> None:
    schema, value = pair
    answer = make(schema)
    text = answer.write({"a": value})
    assert answer.parse(text).value == {"a": value}
    assert answer.write(json.loads(text)) == text, "there is but one text"
    assert admits(answer, text)


B_THEN_C = {"type": "object", "properties": {"c": {"type": "integer"}, "b": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "value", "written"),
    [
        (B_THEN_C, {"b": 1, "c": 2}, '{"c":2,"b":1}'),
        ({"type": "array", "items": B_THEN_C}, [{"b": 1, "c": 2}], '[{"c":2,"b":1}]'),
        ({"$ref": "#/$defs/b~1c"}, {"b": 1, "c": 2}, '{"c":2,"b":1}'),
        (
            {"allOf": [B_THEN_C, {"properties": {"e": {}, "d": {}}}]},
            {"b": 1, "d": 0, "c": 2, "e": 0},
            '{"c":2,"b":1,"e":0,"d":0}',
        ),
        (
            {"anyOf": [{"type": "object", "properties": {"b": {"type": "string"}}}, B_THEN_C]},
            {"b": 1, "c": 2},
            '{"c":2,"b":1}',
        ),
        (
            {"type": "object", "properties": {"z": {}, "y": {}}, "allOf": [B_THEN_C]},
            {"b": 1, "y": 0, "z": 0},
            '{"z":0,"y":0,"b":1}',
        ),
        (
            {"type": "object", "properties": {"z": {}}, "required": ["q"]},
            {"y": 1, "x": 2, "q": 3, "z": 4},
            '{"z":4,"q":3,"y":1,"x":2}',
        ),
        (
            {"type": "object", "properties": {}, "additionalProperties": B_THEN_C},
            {"ü": {"b": 1, "c": 2}},
            '{"ü":{"c":2,"b":1}}',
        ),
        ({"type": "integer"}, 1.0, "1"),
        ({"type": "number"}, 1e5, "100000"),
        ({"type": "number"}, -0.0, "0"),
        ({"type": "number"}, 1.5e-7, "0.00000015"),
        ({"type": "integer"}, 10**40, "1" + "0" * 40),
        ({"type": "string"}, 'é😀/"\\\n\x7f', '"é😀/\\"\\\\\\n\\u007f"'),
    ],
)
def test_every_keyword_has_its_order_and_every_scalar_its_form(
    make: Make, schema: Any, value: Any, written: str
) -> None:
    answer = make(schema, **{"$defs": {"b/c": B_THEN_C}})  # type: ignore[call-arg]
    text = answer.write({"a": value})
    assert text == f'{{"a":{written}}}'
    assert admits(answer, text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud83d"])
def test_what_json_has_no_text_for_is_refused(make: Make, value: object) -> None:
    with pytest.raises(ValueError, match="fix"):
        make({}).write({"a": value})
