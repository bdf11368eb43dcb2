"""One JSON object that a schema admits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.answer import canonical, length
from harness.answer.format import Answer, Field, Parsed, Scorer, commonest
from harness.answer.schema import read_schema, validator, violation
from harness.constraint import JsonSchema
from harness.errors import TaskError
from harness.reading import UnreadableError, json_of

__all__ = ["Field", "Json", "first_object"]

KINDS = ("format", "behaviour", "knowledge", "action")
CHECKS = ("exact", "style")


class Json:
    """One JSON object that a schema admits.

    Every property of the schema may carry `x-kind` and `x-check` (see Field).

    >>> from tempfile import NamedTemporaryFile
    >>> schema = {"properties": {"colour": {"enum": ["red", "blue"]}, "size": {"type": "integer"}}}
    >>> with NamedTemporaryFile("w", suffix=".json") as file:
    ...     json.dump(schema, file)
    ...     file.flush()
    ...     answer = Json(file.name)
    >>> answer.write({"size": 3, "colour": "red"})
    '{"colour":"red","size":3}'
    >>> answer.parse('Sure: {"colour": "red"}').value
    {'colour': 'red'}
    """

    labels: ClassVar[None] = None
    measures: ClassVar[tuple[str, ...]] = (
        "exact", "valid", "kind/format", "kind/behaviour", "kind/knowledge", "kind/action",
    )  # fmt: skip

    def __init__(self, schema: str) -> None:
        """`schema` is the path of a JSON Schema file. Raises TaskError if it is not one."""
        if not isinstance(schema, str):
            raise TaskError(f"answer.schema={schema!r:.60}: must be the path of a JSON Schema file")
        path = Path(schema)
        self.schema = read_schema(path)
        self.validator = validator(self.schema)
        required = self.schema.get("required", ())
        self.fields = tuple(
            replace(_field(name, rules, path), required=name in required)
            for name, rules in self.schema.get("properties", {}).items()
        )
        if not self.fields:
            raise TaskError(f"{path}: has no properties; list the fields of the answer")

    @property
    def rules(self) -> Any:
        return self.schema

    @property
    def constraint(self) -> JsonSchema:
        return JsonSchema(self.shown)

    @property
    def longest(self) -> int | None:
        return length.longest(self.schema)

    @property
    def shown(self) -> Any:
        """The schema as it is shown to a model: our own x- notes would tell it nothing."""
        return _without_notes(self.schema)

    def write(self, target: Any) -> str:
        if isinstance(target, str):
            try:
                target = json_of(target)
            except UnreadableError as error:
                raise ValueError(f"target is {error}: {target[:60]!r}") from error
        problem = self.violation(target)
        if problem:
            raise ValueError(f"target breaks the schema: {problem:.600}")
        return self.text(target)

    def text(self, value: Any) -> str:
        """The one way to write a value, as every model learns and is shown it."""
        return canonical.text(value, self.validator)

    def parse(self, text: str) -> Parsed:
        """The first JSON object in the text: chatter around it and code fences are forgiven."""
        return first_object(text)

    def violation(self, value: Any) -> str | None:
        """The first way in which a value breaks the schema, or None."""
        return violation(self.validator, value)

    def admits(self, field: Field, value: Any) -> bool:
        """Whether the schema admits this value for this field."""
        rules = self.schema["properties"][field.name]
        return violation(self.validator.evolve(schema=rules), value) is None

    def describe(self, instructions: str) -> str:
        schema = json.dumps(self.shown, ensure_ascii=False, separators=(",", ":"))
        return instructions.replace("{schema}", schema)

    def fitted(self, targets: Iterable[str]) -> Answer:
        return self

    def majority(self, targets: Sequence[str]) -> str:
        """Field by field; a field that no target has is left out."""
        rows = [json.loads(target) for target in targets]
        fields = [field.name for field in self.fields]
        values = {f: commonest(json.dumps(row[f]) for row in rows if f in row) for f in fields}
        return self.text({f: json.loads(value) for f, value in values.items() if value is not None})

    def scorer(self) -> Scorer:
        """Whether answers can be read, keep the schema, and get each field right."""
        from harness.answer.metric import AnswerMetric

        summary = "JSON answers against a schema, by field and by kind of field"
        return AnswerMetric(summary, self._each)

    def _each(self, prediction: str, reference: str) -> dict[str, float]:
        parsed = self.parse(prediction).value
        readable = isinstance(parsed, dict)
        right = self._right(parsed if readable else {}, json.loads(reference))
        values = {
            "fields": sum(right.values()) / max(1, len(right)),
            "exact": float(readable and all(right.values())),
            "readable": float(readable),
            "valid": float(readable and self.violation(parsed) is None),
        }
        for kind in dict.fromkeys(f.kind for f in self.fields):
            of_kind = [right[f.name] for f in self.fields if f.kind == kind and f.name in right]
            values[f"kind/{kind}"] = sum(of_kind) / max(1, len(of_kind))
        return values | {f"field/{name}": float(ok) for name, ok in right.items()}

    def _right(self, given: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, bool]:
        """Whether each field is right that stands in the answer or in the target."""
        right: dict[str, bool] = {}
        for field in self.fields:
            name = field.name
            if name not in target and name not in given:
                continue
            if field.check == "style":
                right[name] = name in given and self.admits(field, given[name])
            else:
                right[name] = name in given and _same(given[name], target.get(name))
        return right


def first_object(text: str) -> Parsed:
    """The first JSON object in a text."""
    start = text.find("{")
    if start < 0:
        return Parsed(None, "no JSON object")
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError) as error:
        if isinstance(error, RecursionError):
            return Parsed(None, "broken JSON (nested too deeply)")
        return Parsed(None, f"broken JSON ({error.msg} at character {error.pos + 1})")
    return Parsed(value)


def _same(given: Any, wanted: Any) -> bool:
    """Equal values of the same JSON type: 1 is not true."""
    return type(given) is type(wanted) and given == wanted


def _field(name: str, rules: object, path: Path) -> Field:
    if not isinstance(rules, Mapping):  # true and false are schemas too
        raise TaskError(
            f"{path}: {name}: {json.dumps(rules)} says nothing of the field; write its rules: "
            '{"type": "string"}'
        )
    field = Field(name, rules.get("x-kind", "behaviour"), rules.get("x-check", "exact"))
    if field.kind not in KINDS:
        raise TaskError(f"{path}: {name}: x-kind '{field.kind}' is not one of {', '.join(KINDS)}")
    if field.check not in CHECKS:
        raise TaskError(
            f"{path}: {name}: x-check '{field.check}' is not one of {', '.join(CHECKS)}"
        )
    return field


def _without_notes(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_notes(v) for v in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for keyword, rules in schema.items():
        if keyword in ("properties", "patternProperties", "$defs") and isinstance(rules, dict):
            # Here stand names of the answer's own, whatever they begin with.
            kept[keyword] = {name: _without_notes(below) for name, below in rules.items()}
        elif keyword in ("enum", "const"):
            kept[keyword] = rules
        elif not keyword.startswith(("x-", "$schema")):
            kept[keyword] = _without_notes(rules)
    return kept
