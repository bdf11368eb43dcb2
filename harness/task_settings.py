"""What a task's YAML says, checked before any of its files is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import ConfigError, TaskError
from harness.models.weights import Weights
from harness.values import Instance, folder_name, settings

__all__ = ["FIELDS", "SPLITS", "TaskSettings"]

SPLITS = ("train", "dev", "eval")
FIELDS = ("id", "input", "target", "group", "sources", "tags", "passage", "calls")
"""Of a row."""


@settings("task")
class TaskSettings:
    """The arguments of `harness.load.load_task`. Raises ConfigError or TaskError."""

    name: str
    folder: str
    answer: Any
    primary: str
    max_new_tokens: Any
    source: str | Instance[Weights] | None
    revision: str | None
    splits: Mapping[str, str] | None
    columns: Mapping[str, str | Sequence[str]] | None
    sizes: Mapping[str, Any] | None
    question: Any
    metrics: Sequence[str]
    licence: str
    update: Any
    """`load_update` checks it."""
    tools: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        try:
            folder_name(self.name)
        except ValueError as error:
            raise ConfigError(f"task.name={self.name}: {error}") from error
        if not all(hasattr(self.answer, part) for part in ("write", "parse", "scorer")):
            raise ConfigError(
                f"task.answer={self.answer!r:.60}: is no answer format; say which with _target_: "
                "harness.answer.Json, .Label, .Text or .ToolCalls"
            )
        # Without its place in the question no input would ever reach a model.
        if not isinstance(self.question, str) or "{input}" not in self.question:
            raise TaskError(
                f"task {self.name}: question={self.question!r}: has no {{input}}; "
                "fix task.question: say {input}, in small letters, where the input goes"
            )
        for name, given in (("splits", self.splits), ("sizes", self.sizes)):
            for split in given or {}:
                if split not in SPLITS:
                    raise ConfigError(
                        f"task.{name}.{split}: is no split; there are {', '.join(SPLITS)}"
                    )
        for split, size in (self.sizes or {}).items():
            _check_count(f"task.sizes.{split}", size)
        _check_count("task.max_new_tokens", self.max_new_tokens)
        for column in self.columns or {}:
            if column not in FIELDS:
                raise TaskError(
                    f"task.columns: unknown field '{column}'; known are {', '.join(FIELDS)}"
                )


def _check_count(name: str, value: object) -> None:
    """Raise ConfigError for what is no whole number from 1 up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value!s:.60}: must be a whole number from 1 up")
