"""Doubtful targets of eval, for readers of its errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.audit.sealed import doubtful_targets
from harness.record.doubted import doubted, keep_doubted
from harness.task import Task
from tests.audit.conftest import materials
from tests.audit.test_classifier import TOPICS, Topics, topical


def task(wrong: int) -> Task:
    """Half of the topical texts are eval; one of them has another topic's label."""
    whole = topical()
    train, held = whole.train[:100], list(whole.train[100:])
    other = next(topic for topic in TOPICS if topic != held[wrong].target)
    held[wrong] = replace(held[wrong], target=other)
    return Task("topics", replace(whole, train=train), tuple(held), "accuracy", (), "CC0-1.0", None)


def test_a_wrong_target_of_eval_is_found_with_what_speaks_against_it() -> None:
    asked = task(wrong=7)
    found = doubtful_targets(asked, Topics())
    assert found is not None
    true = asked.eval[7].input.split()[0]
    assert found[asked.eval[7].id] == f"label {asked.eval[7].target}, not {true}?"
    assert len(found) < 10


def test_free_text_cannot_be_judged() -> None:
    free = replace(task(wrong=0), materials=materials([("a", "b")]))
    assert doubtful_targets(free, Topics()) is None


def test_what_was_said_is_kept_by_eval_set(tmp_path: Path) -> None:
    keep_doubted(tmp_path / "mine", "ab12cd34ef", {"q1": "red, not blue?"})
    assert doubted(tmp_path / "mine", "ab12cd34ef") == {"q1": "red, not blue?"}
    assert doubted(tmp_path / "mine", "00000000ef") == {}
