"""`python -m harness.questions +task=NAME`: the eval questions without targets, to answer them
elsewhere; `rung=external rung.predictions=FILE` scores the answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.command import command
from harness.configuration.compose import compose
from harness.errors import ConfigError, HarnessError, RungUnavailableError
from harness.files import write_whole
from harness.inert import json_text, say
from harness.ladder.prompt import render
from harness.ladder.rung import Rung
from harness.task import Task

__all__ = ["main", "questions"]


def questions(task: Task, prompt: Rung | None = None) -> list[dict[str, Any]]:
    """The id and input of each eval question; with the bare prompt also its `messages`.

    Tags, groups and sources are left out: they may give the target away. Raises ConfigError for a
    prompt that shows more than instructions, RungUnavailableError if the task has none.
    """
    asked: list[dict[str, Any]] = [{"id": q.id, "input": q.input} for q in task.questions]
    if prompt is None:
        return asked
    if prompt.slots:
        raise ConfigError(
            f"--prompts: rung={prompt.name} shows more than the instructions; fix: leave rung away"
        )
    prompt.check(task.materials)
    m = task.materials
    told = m.instructions[prompt.instructions]
    return [
        one | {"messages": render(told, m.question, one["input"], role=prompt.role)}
        for one in asked
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the questions of one task; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.questions",
        description="Write the eval questions of a task as JSON Lines (id, input), without "
        "targets, so that anything can answer them.",
    )
    parser.add_argument("words", nargs="+", help="as for harness: +task=NAME, limit=N")
    parser.add_argument("--config-dir", help="a folder of YAML of your own")
    parser.add_argument("--out", type=Path, help="a file; by default they are printed")
    parser.add_argument(
        "--prompts", action="store_true", help="add the bare prompt as chat messages"
    )
    options = parser.parse_intermixed_args(arguments)
    try:
        folders = [options.config_dir] if options.config_dir else []
        (spec,) = compose(options.words, config_dirs=folders, sweep=False)
        found = questions(spec.task(), spec.build("rung") if options.prompts else None)
        _write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), options.out)
    except RungUnavailableError as error:
        say(f"error: --prompts: {error}")
        return 2
    except HarnessError as error:
        say(f"error: {error}")
        return 2
    return 0


def _write(text: str, path: Path | None) -> None:
    if path is None:
        sys.stdout.write(json_text(text))
        return
    try:
        write_whole(path, text)
    except OSError as error:
        raise ConfigError(f"--out {path}: cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    command(main)
