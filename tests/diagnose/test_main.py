"""Truth against advice, without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.diagnose.__main__ as command
from harness.analysis.findings import Findings
from harness.diagnose.__main__ import grade, main
from harness.diagnose.tasks import KNOWN, Known
from harness.errors import LeakError
from tests.analysis.test_recommendation import MADE

BY_NAME = {known.name: known for known in KNOWN}


def test_advice_is_right_if_outcome_rung_and_kind_are(tmp_path: Path) -> None:
    advice = MADE["format"](tmp_path)
    known = BY_NAME["format_only"]
    assert grade(known, advice).right
    assert not grade(replace(known, outcomes={"tune"}), advice).right
    assert not grade(replace(known, advised={"lora"}), advice).right
    assert not grade(replace(known, kinds={"knowledge"}), advice).right


def test_a_leaked_task_must_be_refused_first(tmp_path: Path) -> None:
    advice = MADE["inflated"](tmp_path)
    assert grade(BY_NAME["leaked"], advice, refused=True).right
    assert not grade(BY_NAME["leaked"], advice).right


def test_the_command_prints_truth_against_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def answered(name: str, **settings: Any) -> Findings:
        asked.append(settings | {"name": name})
        if name == "leaked" and "isolation.leaks" not in settings:
            raise LeakError("eval.jsonl:1 and train.jsonl:201 say the same")
        return MADE["inflated" if name == "leaked" else "nothing"](tmp_path / name)

    monkeypatch.setattr(command, "compare", answered)
    monkeypatch.setattr(command, "CONF", tmp_path)  # where there is no rung
    monkeypatch.setenv("COLUMNS", "200")
    chosen = ["--only", "leaked", "nothing_helps", "action_only"]
    assert main(["--folder", str(tmp_path / "own"), *chosen, "--set", "seed=3"]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 right" in printed
    assert "refused; forced: inflated" in printed
    assert "skipped: no tools rung" in printed
    assert [one["name"] for one in asked] == ["nothing_helps", "leaked", "leaked"]
    assert all(one["seed"] == 3 and one["contrasts.margin"] == 0.1 for one in asked)


def test_an_unknown_task_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nonsense"]) == 2
    assert "there are format_only" in capsys.readouterr().err


def test_each_kind_of_truth_has_a_task() -> None:
    def kinds(known: Known) -> set[str]:
        return set(known.kinds)

    assert set().union(*map(kinds, KNOWN)) == {"knowledge", "format", "behaviour", "action", "none"}
    assert len(KNOWN) == 7
