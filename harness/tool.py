"""What a model may call before it answers, and what came of a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.answer.schema import flaw, validator, violation
from harness.errors import ConfigError

__all__ = ["Call", "Opened", "Tool", "ToolError", "ToolUse", "check_parameters", "objection"]

Opened = Callable[[Mapping[str, Any], float], str]
"""A tool that is ready: arguments and a time limit in seconds → what it found. Raises ToolError."""


class ToolError(Exception):
    """A call that failed; the model is told why."""


@dataclass(frozen=True)
class ToolUse:
    """Which tool is called with what, as a row of train shows it."""

    tool: str
    arguments: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        return {"tool": self.tool, "arguments": dict(self.arguments)}


@dataclass(frozen=True)
class Call:
    """One call that a model made, and what it was told."""

    tool: str
    """As the model wrote it; empty where that could not be read."""
    arguments: Any
    result: str
    """What it found, cut to the rung's limit; or what was wrong."""
    failed: bool
    seconds: float


class Tool(ABC):
    """Something that a model may call. It sees the arguments of a call and nothing else."""

    description: str
    """What the model is told of it."""
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments, an object."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of all that determines what it finds, but for the corpus."""

    @abstractmethod
    def opened(self, passages: Sequence[str]) -> Opened:
        """Ready to be called, over the corpus as models see it."""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Place and text of what it can find, as far as that can be read: held against eval."""
        yield from ()


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise ConfigError if these describe no arguments."""
    if problem := flaw(dict(parameters)):
        raise ConfigError(f"task.tools: parameters: {problem}")
    if parameters.get("type") != "object" or "properties" not in parameters:
        raise ConfigError(
            f"task.tools: parameters={dict(parameters)}: must be the JSON Schema of an object: "
            "{type: object, properties: {…}, required: […], additionalProperties: false}"
        )


def objection(tool: Tool, arguments: Any) -> str | None:
    """Why these are no arguments of a tool, with the place; None if they are."""
    return violation(validator(dict(tool.parameters)), arguments)
