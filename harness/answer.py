"""What an answer must look like: JSON against a schema, one label out of a set, or free text.

An answer format knows how a target is written for a model to learn, and how a model's text is
read. The same parser reads every rung.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jsonschema

from harness import canonical
from harness.errors import TaskError

__all__ = ["Answer", "Field", "Json", "Label", "Parsed", "Text"]

KINDS = ("format", "behaviour", "knowledge", "action")
CHECKS = ("exact", "style")


@dataclass(frozen=True)
class Parsed:
    """A model's text, read. `value` is None if nothing could be read, and `problem` says why."""

    value: Any
    problem: str | None = None


class Answer(Protocol):
    """How targets are written and answers are read."""

    @property
    def rules(self) -> Any:
        """What determines how an answer is read and scored, as JSON."""

    def write(self, target: Any) -> str:
        """The text that a model should produce. Raises ValueError with the mend."""

    def parse(self, text: str) -> Parsed:
        """Read a model's text; never raises."""

    def describe(self, instructions: str) -> str:
        """Fill in what instructions may ask for: {schema}, {labels}."""

    def fitted(self, targets: Iterable[str]) -> Answer:
        """This format, with what it must know of the train targets (which labels there are)."""


@dataclass(frozen=True)
class Field:
    """One property of a JSON answer."""

    name: str
    kind: str
    """What kind of problem it is: format, behaviour, knowledge or action (`x-kind`)."""
    check: str
    """`exact`: equal to the target's value. `style`: any value that the schema admits."""


class Json:
    """One JSON object that a schema admits.

    Every property of the schema may carry `x-kind` and `x-check` (see Field).
    """

    def __init__(self, schema: str) -> None:
        """`schema` is the path of a JSON Schema file. Raises TaskError if it is not one."""
        path = Path(schema)
        try:
            self.schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
            jsonschema.Draft202012Validator.check_schema(self.schema)
        except FileNotFoundError as error:
            raise TaskError(f"{path}: no such schema; write it or mend answer.schema") from error
        except json.JSONDecodeError as error:
            raise TaskError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error
        except jsonschema.SchemaError as error:
            raise TaskError(f"{path}: not a JSON Schema ({error.message})") from error
        self.validator = jsonschema.Draft202012Validator(self.schema)
        self.fields = tuple(
            _field(name, rules, path) for name, rules in self.schema.get("properties", {}).items()
        )
        if not self.fields:
            raise TaskError(f"{path}: has no properties; list the fields of the answer")

    @property
    def rules(self) -> Any:
        return self.schema

    @property
    def shown(self) -> Any:
        """The schema as it is shown to a model: our own x- notes would tell it nothing."""
        return _without_notes(self.schema)

    def write(self, target: Any) -> str:
        if isinstance(target, str):
            try:
                target = json.loads(target)
            except json.JSONDecodeError as error:
                raise ValueError(f"target is not JSON ({error.msg}): {target[:60]!r}") from error
        problem = self.violation(target)
        if problem:
            raise ValueError(f"target breaks the schema: {problem}")
        return self.text(target)

    def text(self, value: Any) -> str:
        """The one way to write a value, as every model learns and is shown it."""
        return canonical.text(value, self.validator)

    def parse(self, text: str) -> Parsed:
        """The first JSON object in the text: chatter around it and code fences are forgiven."""
        start = text.find("{")
        if start < 0:
            return Parsed(None, "no JSON object")
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError) as error:
            return Parsed(None, f"broken JSON ({getattr(error, 'msg', 'nested too deeply')})")
        return Parsed(value)

    def violation(self, value: Any) -> str | None:
        """The first way in which a value breaks the schema, or None."""
        error = jsonschema.exceptions.best_match(self.validator.iter_errors(value))
        if error is None:
            return None
        place = ".".join(str(step) for step in error.absolute_path)
        return f"{place}: {error.message}" if place else str(error.message)

    def admits(self, field: Field, value: Any) -> bool:
        """Whether the schema admits this value for this field."""
        return bool(
            self.validator.evolve(schema=self.schema["properties"][field.name]).is_valid(value)
        )

    def describe(self, instructions: str) -> str:
        schema = json.dumps(self.shown, ensure_ascii=False, separators=(",", ":"))
        return instructions.replace("{schema}", schema)

    def fitted(self, targets: Iterable[str]) -> Json:
        return self


class Label:
    """One label out of a set; the set is that of the train targets if none is given."""

    def __init__(self, labels: Sequence[Any] | str | None = None) -> None:
        """`labels` lists them, or is the path of a text file with one on each line.

        Raises TaskError for a label that could not be read back out of an answer.
        """
        listed = _lines(Path(labels)) if isinstance(labels, str) else labels or ()
        for given in listed:
            if isinstance(given, bool) or not isinstance(given, str | int):
                raise TaskError(
                    f"answer.labels: {given!r} is not text; put the label into quotes, as YAML "
                    "reads some words and numbers as something else"
                )
        self.labels = tuple(dict.fromkeys(map(str, listed))) if listed else None
        for label in self.labels or ():
            problem = _unreadable(label)
            if problem:
                raise TaskError(f"answer.labels: {problem}")

    @property
    def rules(self) -> Any:
        return self.labels

    def write(self, target: Any) -> str:
        label = str(target)
        problem = _unreadable(label)
        if problem:
            raise ValueError(problem)
        if self.labels is not None and label not in self.labels:
            raise ValueError(
                f"target {target!r} is not one of the {len(self.labels)} labels, which are those "
                "of train unless answer.labels lists them"
            )
        return label

    def parse(self, text: str) -> Parsed:
        """The text's first line if it is a label; else what is left of it without quotes, dots
        and the like."""
        lines = text.strip().splitlines()
        line = lines[0].strip() if lines else ""
        if self.labels is not None and line in self.labels:
            return Parsed(line)
        value = line.strip("\"'`*.").strip()
        if not value:
            return Parsed(None, "empty")
        if self.labels is not None and value not in self.labels:
            return Parsed(None, "not a label")
        return Parsed(value)

    def describe(self, instructions: str) -> str:
        labels = self.labels or ()
        between = "\n" if any("," in label for label in labels) else ", "
        return instructions.replace("{labels}", between.join(labels))

    def fitted(self, targets: Iterable[str]) -> Label:
        return self if self.labels is not None else Label(sorted(set(targets)))


class Text:
    """Free text."""

    @property
    def rules(self) -> Any:
        return None

    def write(self, target: Any) -> str:
        if not str(target).strip():
            raise ValueError("target is empty")
        return str(target)

    def parse(self, text: str) -> Parsed:
        value = text.strip()
        return Parsed(value) if value else Parsed(None, "empty")

    def describe(self, instructions: str) -> str:
        return instructions

    def fitted(self, targets: Iterable[str]) -> Text:
        return self


def _lines(path: Path) -> list[str]:
    """The lines of a file of labels, without those that are empty."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(
            f"answer.labels: cannot read {path} ({error}); give a list, or a UTF-8 file with one "
            "label on each line"
        ) from error
    if not any(lines):
        raise TaskError(f"answer.labels: {path} is empty; write one label on each line")
    return [line for line in lines if line]


def _unreadable(label: str) -> str | None:
    """Why this label could not be read back out of an answer, or None."""
    if label.splitlines() == [label] and label == label.strip():
        return None
    return f"label {label!r} is empty, or has blanks around it or a line break in it; fix it"


def _field(name: str, rules: Mapping[str, Any], path: Path) -> Field:
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
