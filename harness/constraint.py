"""What an answer may be, declared: answer formats say it, engines compile it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Choices", "Constraint", "Either", "JsonSchema", "SchemaOfInput", "resolved"]


@dataclass(frozen=True)
class JsonSchema:
    """Nothing but the JSON values that a schema admits, written without blanks, keys in the
    schema's order."""

    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Choices:
    """Nothing but one of these texts.

    >>> Choices(("yes", "no")).texts
    ('yes', 'no')
    """

    texts: tuple[str, ...]


@dataclass(frozen=True)
class SchemaOfInput:
    """For each question a schema of its own, which its input declares.

    >>> digits = SchemaOfInput(lambda text: {"type": "integer", "maximum": len(text)})
    >>> resolved(digits, ["abc"])
    [JsonSchema(schema={'type': 'integer', 'maximum': 3})]
    """

    schema: Callable[[str], Mapping[str, Any]]

    def of(self, text: str) -> JsonSchema:
        """What the answer to this input is held to."""
        return JsonSchema(self.schema(text))


@dataclass(frozen=True)
class Either:
    """A JSON object, such as the call of a tool, or what may be written in its place."""

    object: JsonSchema
    other: JsonSchema | Choices | None
    """None: any text that does not begin as an object does."""


Constraint = JsonSchema | Choices | Either | SchemaOfInput
"""What an answer may be, declared; each engine compiles it for itself. None of them compiles a
`SchemaOfInput`: they get what it resolves to."""


def resolved(
    constraint: Constraint | None, inputs: Sequence[str]
) -> Constraint | Sequence[JsonSchema] | None:
    """What the answers to these inputs are held to: one constraint for all, or one for each."""
    if isinstance(constraint, SchemaOfInput):
        return [constraint.of(text) for text in inputs]
    return constraint
