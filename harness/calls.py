"""Calls of tools that rows show: what a model should look up before it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import TaskError
from harness.task import Example
from harness.tool import Tool, ToolUse, objection

__all__ = ["calls_of", "check_calls", "check_tools"]


def calls_of(value: Any, where: str) -> tuple[ToolUse, ...]:
    """The `calls` of a row: a list of `{"tool": …, "arguments": {…}}`. Raises TaskError."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(one, Mapping)
        and set(one) == {"tool", "arguments"}
        and isinstance(one["tool"], str)
        and isinstance(one["arguments"], Mapping)
        for one in value
    ):
        raise TaskError(
            f'{where}: calls is {value!r}; give a list of {{"tool": …, "arguments": {{…}}}}'
        )
    return tuple(ToolUse(one["tool"], dict(one["arguments"])) for one in value)


def check_calls(examples: Sequence[Example], tools: Mapping[str, Tool]) -> None:
    """Raise TaskError for a call of what is no tool of the task, or with arguments of none."""
    for example in examples:
        for use in example.calls:
            if use.tool not in tools:
                known = ", ".join(tools) or "none"
                raise TaskError(
                    f"{example.where}: calls '{use.tool}', but the task's tools are: {known}; fix "
                    "the line or task.tools"
                )
            if problem := objection(tools[use.tool], use.arguments):
                raise TaskError(f"{example.where}: call of {use.tool}: {problem}; fix the line")


def check_tools(tools: Mapping[str, Any]) -> dict[str, Tool]:
    """The tools by name. Raises TaskError for what is none."""
    for name, tool in tools.items():
        if not isinstance(tool, Tool):
            raise TaskError(
                f"task.tools.{name}={tool!r}: is no tool; say which with _target_: "
                "harness.toolbox.Sql, .Search or .Function"
            )
    return dict(tools)
