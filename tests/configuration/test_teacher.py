"""The teacher that a distilled rung names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.configuration.compose import compose
from harness.errors import ConfigError
from harness.job import Job, identity
from harness.ladder.distillation import Distilled


def job(*words: str) -> Job:
    return compose(["+task=support_json", "rung=distilled", *words])[0].job()


def transform(*words: str) -> Distilled:
    made = job(*words).rung.transform
    assert isinstance(made, Distilled)
    return made


def test_a_teacher_is_the_rung_as_the_ladder_sets_it() -> None:
    """With what the task chose for it; what is said of the student is not for the teacher."""
    own = compose(["+task=support_json", "rung=few_shot"])[0].job().rung
    assert own.shots is not None
    assert own.shots.k == 2, "the task chooses no other k: the case shows little"
    said = ("rung.instructions=full", "rung.transform.min_score=null", "rung.role=user")
    assert transform(*said).teacher == own
    rag = transform("rung.transform.teacher=rag").teacher
    assert rag == compose(["+task=support_json", "rung=rag"])[0].job().rung


def test_settings_of_the_teacher_determine_the_result() -> None:
    made, other = job(), job("rung.transform.teacher=rag")
    fingerprints = made.task.fingerprints()
    identities = [identity(one, fingerprints) for one in (made, other)]
    told = [one["rung"]["transform"]["teacher"] for one in identities]
    assert (told[0]["name"], told[0]["shots"]["k"], told[1]["name"]) == ("few_shot", 2, "rag")
    assert "corpus" in identities[1]["task"]
    assert "corpus" not in identities[0]["task"]


def test_every_setting_that_is_tried_has_the_same_teacher_and_threshold() -> None:
    tried = [candidate.rung.transform for candidate in job("trials=3").candidates]
    assert tried == [transform()] * 3


def test_gold_targets_are_of_the_same_teachers_answers() -> None:
    gold = compose(["+task=support_json", "rung=distilled_gold"])[0].job()
    theirs, ours = gold.candidates[0].settings["transform"], job().candidates[0].settings
    assert theirs == ours["transform"] | {"targets": "gold"}


def test_recorded_answers_are_known_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_text('{"id": "train-001", "text": "red"}\n')
    made = transform(f"rung.transform.answers={path}")
    assert (made.teacher, made.name) == (None, str(path))
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("teacher=few_shots", r"rung\.transform\.teacher=few_shots: .*did you mean few_shot\?"),
        ("teacher=distilled", r"rung\.transform\.teacher=distilled: .* without a transform"),
        ("teacher=null", r"rung\.transform\.teacher: name"),
        ("answers=nowhere.jsonl", r"rung\.transform\.answers=nowhere\.jsonl: no such file"),
    ],
)
def test_what_is_no_teacher_is_said_in_one_line(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        job(f"rung.transform.{word}")
