"""The eval questions without targets, for whoever answers them elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.questions import main
from tests.conftest import TASK


@pytest.fixture
def conf(tmp_path: Path, task_folder: Path) -> list[str]:
    """What names the user's own task."""
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mine.yaml").write_text(TASK.format(folder=task_folder))
    return ["--config-dir", str(tmp_path / "conf"), "+task=mine"]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_questions_have_nothing_that_gives_the_target_away(
    conf: list[str], task_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(conf) == 0
    printed = lines(capsys.readouterr().out)
    sealed = lines((task_folder / "eval.jsonl").read_text())
    assert printed == [{"id": one["id"], "input": one["input"]} for one in sealed]


def test_prompts_are_those_of_the_bare_prompt(conf: list[str], tmp_path: Path) -> None:
    out = tmp_path / "questions.jsonl"
    assert main([*conf, "limit=2", "--prompts", "--out", str(out)]) == 0
    first, _ = lines(out.read_text())
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert first["messages"][0]["content"].startswith("Answer in JSON.")
    assert first["messages"][1]["content"] == first["input"]


def test_a_mistake_is_one_line(conf: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*conf, "rung=few_shot", "--prompts"]) == 2
    assert "few_shot shows more than the instructions" in capsys.readouterr().err
    assert main(["+task=nothing_like_it"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
