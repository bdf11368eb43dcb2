"""Fitted runs of the tiny model, and general text for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.job import Job
from harness.ladder.rung import Rung
from harness.models.local import ModelSpec
from harness.probe.forgetting import Forgetting
from harness.task import Task
from tests.test_run import PROMPT, job_of

MakeJob = Callable[..., Job]

WORDS = ["code", "ticket", "note", "red", "colour", "assistant"]
PASSAGES = "\n\n".join(
    f"The {word} of the year is blue.\nIt has {n} notes." for n, word in enumerate(WORDS)
)


@pytest.fixture
def general(tmp_path: Path) -> Path:
    """Six paragraphs of text."""
    path = tmp_path / "general.txt"
    path.write_text(PASSAGES)
    return path


@pytest.fixture
def job(task: Task, apt_spec: ModelSpec, tmp_path: Path) -> MakeJob:
    def call(rung: Rung = PROMPT, **changes: Any) -> Job:
        arguments = {"task": task, "model": apt_spec, "root": tmp_path / "results"} | changes
        return job_of(rung=rung, **arguments)

    return call


def forgetting(general: Path, **changes: Any) -> Forgetting:
    """The probe with little to measure; keyword arguments replace single settings."""
    values: dict[str, Any] = {
        "enabled": None,
        "passages": str(general),
        "field": "text",
        "count": 4,
        "tokens": 16,
        "prompts": 3,
        "instructions": None,
        "answer_tokens": 4,
        "max_increase": 0.1,
    }
    return Forgetting(**(values | changes))
