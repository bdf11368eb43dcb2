"""What an answer may be, declared: answer formats say it, engines compile it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Choices", "Constraint", "Either", "JsonSchema"]


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
class Either:
    """A JSON object, such as the call of a tool, or what may be written in its place."""

    object: JsonSchema
    other: JsonSchema | Choices | None
    """None: any text that does not begin as an object does."""


Constraint = JsonSchema | Choices | Either
"""What an answer may be, declared; each engine compiles it for itself."""
