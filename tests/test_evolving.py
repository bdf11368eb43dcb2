"""GEPA with our answers, and a reflector that is asked once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import WeightsError
from harness.evolving import Answered, Reflector, evolve
from harness.models.engine import Engine
from harness.task import Example
from tests.reflecting import FakeReflector

EXAMPLES = [Example(f"d{i}", f"question {i}", f"answer {i}", f"g{i}", (), {}, "") for i in range(6)]


def polite(text: str, examples: Sequence[Example]) -> list[Answered]:
    """Answers are right for instructions that say please."""
    right = "please" in text
    return [Answered(e.target if right else "no", float(right), None) for e in examples]


def evolved(reflector: Reflector, calls: int = 40) -> list[str]:
    return evolve("Answer.", EXAMPLES, polite, reflector, calls=calls, minibatch=2, seed=0)


def test_a_proposal_that_scores_higher_is_taken_up(tmp_path: Path) -> None:
    source = FakeReflector("```\nAnswer, please.\n```")
    reflector = Reflector(source, tmp_path / "calls.jsonl", 64)
    assert evolved(reflector) == ["Answer.", "Answer, please."]
    told = source.asked[0]
    assert "Answer." in told
    assert "question" in told
    assert "Scored 0.00 of 1. The right answer is: answer" in told


def test_a_proposal_that_scores_no_higher_is_not(tmp_path: Path) -> None:
    reflector = Reflector(FakeReflector("```\nAnswer well.\n```"), tmp_path / "calls.jsonl", 64)
    assert evolved(reflector) == ["Answer."]
    assert reflector.calls


def test_a_search_that_was_killed_is_gone_through_again_without_a_new_reflection(
    tmp_path: Path,
) -> None:
    path = tmp_path / "calls.jsonl"
    first = Reflector(FakeReflector("```\nAnswer, please.\n```"), path, 64)
    found = evolved(first)
    path.write_text(path.read_text() + '{"key": "cut of')
    silent = FakeReflector("never asked")
    again = Reflector(silent, path, 64)
    assert evolved(again) == found
    assert silent.asked == []
    assert again.calls == first.calls


def test_what_leaves_no_room_in_the_reflectors_context_is_not_reflected_on(tmp_path: Path) -> None:
    source = FakeReflector("anything", context=1)
    reflector = Reflector(source, tmp_path / "calls.jsonl", 64)
    assert reflector("many words in one prompt") == ""
    assert source.asked == []


def test_a_reflector_that_cannot_answer_ends_the_search(tmp_path: Path) -> None:
    class Gone(FakeReflector):
        def load(self) -> Engine:
            raise WeightsError("the hub cannot be reached")

    with pytest.raises(WeightsError, match="cannot be reached"):
        evolved(Reflector(Gone("never"), tmp_path / "calls.jsonl", 64))
